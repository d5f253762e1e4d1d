package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func podVolumeWarnings(volumes []corev1.Volume, path *field.Path) []string {
	var out []string
	for i, v := range volumes {
		at := nth(path, i)
		for _, p := range []struct {
			set        bool
			name, text string
		}{
			{v.PhotonPersistentDisk != nil, "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
			{v.GitRepo != nil, "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
			{v.ScaleIO != nil, "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
			{v.Flocker != nil, "flocker", "deprecated in v1.22, non-functional in v1.25+"},
			{v.StorageOS != nil, "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
			{v.Quobyte != nil, "quobyte", "deprecated in v1.22, non-functional in v1.25+"},
			{v.Glusterfs != nil, "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
		} {
			if p.set {
				out = append(out, fmt.Sprintf("%s: %s", child(at, p.name), p.text))
			}
		}
		if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			out = append(out, claimSpecWarnings(&v.Ephemeral.VolumeClaimTemplate.Spec, child(at, "ephemeral", "volumeClaimTemplate", "spec"))...)
		}
		if v.CephFS != nil {
			out = append(out, fmt.Sprintf("%s: deprecated in v1.28, non-functional in v1.31+", child(at, "cephfs")))
		}
		if v.RBD != nil {
			out = append(out, fmt.Sprintf("%s: deprecated in v1.28, non-functional in v1.31+", child(at, "rbd")))
		}
	}
	for _, v := range volumes {
		out = append(out, overlapWarnings(&v)...)
	}
	return out
}

// volumeFile is a file that a volume will hold, and what it is made of.
type volumeFile struct{ path, source string }

func (f volumeFile) String() string {
	if f.source == "" {
		return fmt.Sprintf("%q", f.path)
	}
	return fmt.Sprintf("%q (%s)", f.path, f.source)
}

// maxOverlapping is how many files of a volume are compared with one another, each with all before it, and about how many warnings are
// made of that. Upstream compares all.
const maxOverlapping = 1000

// overlapWarnings are about files of a volume of which one would be the directory of another, or hide it.
func overlapWarnings(v *corev1.Volume) []string {
	var out []string
	var files []volumeFile
	add := func(kind string, more ...volumeFile) {
		for _, f := range more {
			if len(files) == maxOverlapping || len(out) >= maxOverlapping {
				return
			}
			f.path = strings.TrimRight(f.path, "/")
			for _, other := range files {
				if f.overlaps(other) {
					out = append(out, fmt.Sprintf("volume %q (%s): overlapping paths: %s with %s", v.Name, kind, f, other))
				}
			}
			files = append(files, f)
		}
	}
	switch {
	case v.ConfigMap != nil:
		add(fmt.Sprintf("ConfigMap %q", v.ConfigMap.Name), itemFiles(v.ConfigMap.Items, "")...)
	case v.Secret != nil:
		add(fmt.Sprintf("Secret %q", v.Secret.SecretName), itemFiles(v.Secret.Items, "")...)
	case v.DownwardAPI != nil:
		add("DownwardAPI", downwardFiles(v.DownwardAPI.Items, "")...)
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			if s == (corev1.VolumeProjection{}) {
				out = append(out, fmt.Sprintf("volume %q (Projected) has no sources provided", v.Name))
			}
			add("Projected", projectedFiles(&s)...)
		}
	}
	return out
}

func (f volumeFile) overlaps(other volumeFile) bool {
	if f.path == "" || other.path == "" {
		return false
	}
	return strings.HasPrefix(other.path+"/", f.path+"/") || strings.HasPrefix(f.path+"/", other.path+"/")
}

func itemFiles(items []corev1.KeyToPath, source string) []volumeFile {
	out := make([]volumeFile, len(items))
	for i, item := range items {
		out[i] = volumeFile{item.Path, source}
	}
	return out
}

func downwardFiles(items []corev1.DownwardAPIVolumeFile, source string) []volumeFile {
	out := make([]volumeFile, len(items))
	for i, item := range items {
		out[i] = volumeFile{item.Path, source}
	}
	return out
}

func projectedFiles(s *corev1.VolumeProjection) []volumeFile {
	switch {
	case s.ConfigMap != nil && s.ConfigMap.Items != nil:
		return itemFiles(s.ConfigMap.Items, fmt.Sprintf("ConfigMap %q", s.ConfigMap.Name))
	case s.Secret != nil && s.Secret.Items != nil:
		return itemFiles(s.Secret.Items, fmt.Sprintf("Secret %q", s.Secret.Name))
	case s.DownwardAPI != nil && s.DownwardAPI.Items != nil:
		return downwardFiles(s.DownwardAPI.Items, "DownwardAPI")
	case s.ServiceAccountToken != nil:
		return []volumeFile{{s.ServiceAccountToken.Path, "ServiceAccountToken"}}
	case s.ClusterTrustBundle != nil:
		name := s.ClusterTrustBundle.Name
		if name == nil {
			name = s.ClusterTrustBundle.SignerName
		}
		return []volumeFile{{s.ClusterTrustBundle.Path, fmt.Sprintf("ClusterTrustBundle %q", value(name))}}
	case s.PodCertificate != nil:
		files := []volumeFile{
			{s.PodCertificate.CertificateChainPath, "PodCertificate chain"}, {s.PodCertificate.KeyPath, "PodCertificate key"},
			{s.PodCertificate.CredentialBundlePath, "PodCertificate credential bundle"},
		}
		return slices.DeleteFunc(files, func(f volumeFile) bool { return f.path == "" })
	}
	return nil
}
