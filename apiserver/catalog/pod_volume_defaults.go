package catalog

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

func defaultVolumeSource(v *corev1.VolumeSource) {
	if *v == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	if v.Image != nil && v.Image.PullPolicy == "" {
		v.Image.PullPolicy = pullPolicyFor(v.Image.Reference)
	}
	if v.HostPath != nil {
		setDefault(&v.HostPath.Type, corev1.HostPathUnset)
	}
	if v.Secret != nil {
		setDefault(&v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
	}
	if v.ISCSI != nil {
		setDefaultValue(&v.ISCSI.ISCSIInterface, "default")
	}
	if v.RBD != nil {
		setDefaultValue(&v.RBD.RBDPool, "rbd")
		setDefaultValue(&v.RBD.RadosUser, "admin")
		setDefaultValue(&v.RBD.Keyring, "/etc/ceph/keyring")
	}
	if v.DownwardAPI != nil {
		setDefault(&v.DownwardAPI.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
		defaultDownward(v.DownwardAPI.Items)
	}
	if v.ConfigMap != nil {
		setDefault(&v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
	}
	if v.AzureDisk != nil {
		defaultAzureDisk(v.AzureDisk)
	}
	if v.Projected != nil {
		setDefault(&v.Projected.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
		for i := range v.Projected.Sources {
			source := &v.Projected.Sources[i]
			if source.DownwardAPI != nil {
				defaultDownward(source.DownwardAPI.Items)
			}
			if source.ServiceAccountToken != nil {
				setDefault(&source.ServiceAccountToken.ExpirationSeconds, int64(time.Hour/time.Second))
			}
		}
	}
	if v.ScaleIO != nil {
		setDefaultValue(&v.ScaleIO.StorageMode, "ThinProvisioned")
		setDefaultValue(&v.ScaleIO.FSType, "xfs")
	}
	if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
		defaultClaimSpec(&v.Ephemeral.VolumeClaimTemplate.Spec)
	}
}

func defaultAzureDisk(d *corev1.AzureDiskVolumeSource) {
	setDefault(&d.CachingMode, corev1.AzureDataDiskCachingReadWrite)
	setDefault(&d.FSType, "ext4")
	setDefault(&d.ReadOnly, false)
	setDefault(&d.Kind, corev1.AzureSharedBlobDisk)
}

func defaultDownward(items []corev1.DownwardAPIVolumeFile) {
	for i := range items {
		if f := items[i].FieldRef; f != nil {
			setDefaultValue(&f.APIVersion, "v1")
		}
	}
}

// dropDisabled drops what belongs to features of v1.37 that are off by default, as if the client had not sent it.
// Source: dropDisabledFields in k8s.io/kubernetes/pkg/api/pod/util.go.
func dropDisabled(s *corev1.PodSpec) {
	s.SchedulingGroup, s.EvictionResponders = nil, nil
	for i := range s.Volumes {
		dropDisabledInVolume(&s.Volumes[i].VolumeSource)
	}
	for c := range allContainers(s, nowhere).each {
		for i := range c.VolumeMounts {
			c.VolumeMounts[i].BindMountOptions = nil
		}
		for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if p != nil && p.GRPC != nil {
				p.GRPC.Mode = nil
			}
			if p != nil && p.HTTPGet != nil {
				p.HTTPGet.Protocol = nil
			}
		}
		if l := c.Lifecycle; l != nil {
			for _, h := range []*corev1.LifecycleHandler{l.PostStart, l.PreStop} {
				if h != nil && h.HTTPGet != nil {
					h.HTTPGet.Protocol = nil
				}
			}
			if l.StopSignal != nil {
				l.StopSignal = nil
				if *l == (corev1.Lifecycle{}) {
					c.Lifecycle = nil
				}
			}
		}
	}
}

func dropDisabledInVolume(v *corev1.VolumeSource) {
	items := func(items []corev1.KeyToPath) {
		for i := range items {
			items[i].User = nil
		}
	}
	files := func(files []corev1.DownwardAPIVolumeFile) {
		for i := range files {
			files[i].User = nil
		}
	}
	if v.EmptyDir != nil {
		v.EmptyDir.Mode = nil
	}
	if v.Secret != nil {
		v.Secret.DefaultUser = nil
		items(v.Secret.Items)
	}
	if v.ConfigMap != nil {
		v.ConfigMap.DefaultUser = nil
		items(v.ConfigMap.Items)
	}
	if v.DownwardAPI != nil {
		v.DownwardAPI.DefaultUser = nil
		files(v.DownwardAPI.Items)
	}
	if v.Projected == nil {
		return
	}
	v.Projected.DefaultUser = nil
	for i := range v.Projected.Sources {
		s := &v.Projected.Sources[i]
		if s.Secret != nil {
			items(s.Secret.Items)
		}
		if s.ConfigMap != nil {
			items(s.ConfigMap.Items)
		}
		if s.DownwardAPI != nil {
			files(s.DownwardAPI.Items)
		}
		if s.ServiceAccountToken != nil {
			s.ServiceAccountToken.User = nil
		}
		if s.ClusterTrustBundle != nil {
			s.ClusterTrustBundle.User = nil
		}
		if s.PodCertificate != nil {
			s.PodCertificate.User = nil
		}
	}
}
