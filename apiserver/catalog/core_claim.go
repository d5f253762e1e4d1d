package catalog

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func claimKind() *Kind {
	return row[corev1.PersistentVolumeClaim, corev1.PersistentVolumeClaimList](corev1.SchemeGroupVersion, Kind{
		Resource:      "persistentvolumeclaims",
		ShortNames:    []string{"pvc"},
		Namespaced:    true,
		Subresources:  onlyStatus(),
		ReturnDeleted: true,
		Strategy: Strategy{
			Default:          on(defaultClaim),
			PrepareForCreate: on(prepareNewClaim),
			PrepareForUpdate: onChange(prepareClaim),
			Validate: check(func(c *corev1.PersistentVolumeClaim, root *field.Path) errorList {
				return validateClaimSpec(&c.Spec, child(root, "spec"))
			}),
			ValidateUpdate:       checkChange(validateClaimChange),
			ValidateStatusUpdate: checkChange(validateClaimStatus),
			Warnings:             warnings(claimWarnings),
		},
		Table: claimTable(),
	})
}

func defaultClaim(c *corev1.PersistentVolumeClaim) {
	setDefaultValue(&c.Status.Phase, corev1.ClaimPending)
	defaultClaimSpec(&c.Spec)
	roundUp(c.Status.Capacity)
	roundUp(c.Status.AllocatedResources)
	c.Status.HealthStatus = nil // CSIVolumeHealth is off by default
}

func defaultClaimSpec(s *corev1.PersistentVolumeClaimSpec) {
	setDefault(&s.VolumeMode, corev1.PersistentVolumeFilesystem)
	roundUp(s.Resources.Limits)
	roundUp(s.Resources.Requests)
}

func prepareNewClaim(c *corev1.PersistentVolumeClaim) {
	c.Status = corev1.PersistentVolumeClaimStatus{}
	dropForeignSource(&c.Spec, nil)
	agreeOnSource(&c.Spec)
}

func prepareClaim(c, old *corev1.PersistentVolumeClaim) {
	dropForeignSource(&c.Spec, &old.Spec)
	agreeOnSource(&c.Spec)
}

// dropForeignSource drops sources in other namespaces, a feature that is off by default, and sources of other kinds
// than dataSource knows.
func dropForeignSource(s, old *corev1.PersistentVolumeClaimSpec) {
	if r := s.DataSourceRef; r != nil && value(r.Namespace) != "" && (old == nil || old.DataSourceRef == nil) {
		s.DataSourceRef = nil
	}
	if old != nil && (old.DataSource != nil || old.DataSourceRef != nil) || s.DataSource == nil || s.DataSourceRef != nil {
		return
	}
	group, kind := value(s.DataSource.APIGroup), s.DataSource.Kind
	if !(kind == "PersistentVolumeClaim" && group == "") && !(kind == "VolumeSnapshot" && group == "snapshot.storage.k8s.io") {
		s.DataSource = nil
	}
}

// agreeOnSource keeps the older and the newer field for what a volume is filled with telling the same.
func agreeOnSource(s *corev1.PersistentVolumeClaimSpec) {
	switch d, r := s.DataSource, s.DataSourceRef; {
	case d != nil && r == nil:
		s.DataSourceRef = &corev1.TypedObjectReference{APIGroup: clone(d.APIGroup), Kind: d.Kind, Name: d.Name}
	case d == nil && r != nil && value(r.Namespace) == "":
		s.DataSource = &corev1.TypedLocalObjectReference{APIGroup: clone(r.APIGroup), Kind: r.Kind, Name: r.Name}
	}
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

func validateAccessModes(modes []corev1.PersistentVolumeAccessMode, at *field.Path) errorList {
	known := []corev1.PersistentVolumeAccessMode{
		corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod,
	}
	var errs errorList
	alone, shared := false, false
	for _, m := range modes {
		errs = append(errs, oneOf(at, m, known...)...)
		alone = alone || m == corev1.ReadWriteOncePod
		shared = shared || m != corev1.ReadWriteOncePod && slices.Contains(known, m)
	}
	if alone && shared {
		errs = append(errs, field.Forbidden(at, "may not use ReadWriteOncePod with other access modes"))
	}
	return errs
}

func validateClaimSpec(s *corev1.PersistentVolumeClaimSpec, path *field.Path) errorList {
	var errs errorList
	if len(s.AccessModes) == 0 {
		errs = append(errs, field.Required(child(path, "accessModes"), "at least 1 access mode is required"))
	}
	if s.Selector != nil {
		errs = append(errs, metav1validation.ValidateLabelSelector(s.Selector, metav1validation.LabelSelectorValidationOptions{}, child(path, "selector"))...)
	}
	errs = append(errs, validateAccessModes(s.AccessModes, child(path, "accessModes"))...)
	storage := keyed(child(path, "resources"), string(corev1.ResourceStorage))
	if q, ok := s.Resources.Requests[corev1.ResourceStorage]; ok {
		errs = append(errs, positiveQuantity(q, storage)...)
	} else {
		errs = append(errs, field.Required(storage, ""))
	}
	errs = append(errs, validateClass(s.StorageClassName, child(path, "storageClassName"))...)
	errs = append(errs, knownIfSet(child(path, "volumeMode"), s.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)...)
	d, r := s.DataSource, s.DataSourceRef
	if d != nil {
		errs = append(errs, validateDataSource(d.APIGroup, d.Kind, d.Name, child(path, "dataSource"))...)
	}
	if r != nil {
		errs = append(errs, validateDataSource(r.APIGroup, r.Kind, r.Name, child(path, "dataSourceRef"))...)
		if ns := value(r.Namespace); ns != "" {
			errs = append(errs, objectName(child(path, "dataSourceRef", "namespace"), ns, apivalidation.ValidateNamespaceName)...)
		}
	}
	switch {
	case d == nil || r == nil:
	case value(r.Namespace) != "":
		errs = append(errs, field.Invalid(path, child(path, "dataSource"), "may not be specified when dataSourceRef.namespace is specified"))
	case (d.APIGroup == nil) != (r.APIGroup == nil) || value(d.APIGroup) != value(r.APIGroup) || d.Kind != r.Kind || d.Name != r.Name:
		errs = append(errs, field.Invalid(path, child(path, "dataSource"), "must match dataSourceRef"))
	}
	return append(errs, validateClass(s.VolumeAttributesClassName, child(path, "volumeAttributesClassName"))...)
}

func validateClass(name *string, at *field.Path) errorList {
	if value(name) == "" {
		return nil
	}
	return objectName(at, *name, apivalidation.NameIsDNSSubdomain)
}

func validateDataSource(group *string, kind, name string, at *field.Path) errorList {
	errs := append(needed(child(at, "name"), name), needed(child(at, "kind"), kind)...)
	g := value(group)
	if g == "" && kind != "PersistentVolumeClaim" {
		errs = append(errs, field.Invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
	}
	if g != "" {
		errs = append(errs, invalidEach(child(at, "apiGroup"), g, isDNSSubdomain(g))...)
	}
	return errs
}

const oldStorageClass = corev1.BetaStorageClassAnnotation

// validateClaimChange: of a claim that exists only the size can be changed, and the class of its attributes, once
// it has a volume. Its storage class can be filled in where there was none.
func validateClaimChange(c, old *corev1.PersistentVolumeClaim, root *field.Path) errorList {
	var errs errorList
	spec := child(root, "spec")
	now, was := c.Spec.DeepCopy(), old.Spec.DeepCopy()
	if was.VolumeName == "" {
		was.VolumeName = now.VolumeName
	}
	class, had := old.Annotations[oldStorageClass]
	nowClass, has := c.Annotations[oldStorageClass]
	switch fills := was.StorageClassName == nil && now.StorageClassName != nil && (!had || *now.StorageClassName == class); {
	case fills && had && (!has || nowClass == class):
		now.StorageClassName = nil // moved from the annotation to the field
	default:
		if class != nowClass {
			errs = append(errs, field.Invalid(child(root, "metadata", "annotations", oldStorageClass), nowClass, apivalidation.FieldImmutableErrorMsg))
		}
		if fills {
			now.StorageClassName = was.StorageClassName
		}
	}
	if c.Status.Phase == corev1.ClaimBound {
		if now.Resources.Requests != nil {
			now.Resources.Requests[corev1.ResourceStorage] = old.Spec.Resources.Requests[corev1.ResourceStorage]
		}
		now.VolumeAttributesClassName = was.VolumeAttributesClassName
	}
	if !equality.Semantic.DeepEqual(now, was) {
		errs = append(errs, field.Forbidden(spec, "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"+
			diff.Diff(internalForm(was), internalForm(now))))
	}
	size, oldSize := c.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage]
	capacity := old.Status.Capacity[corev1.ResourceStorage]
	if size.Cmp(oldSize) < 0 && size.Cmp(capacity) <= 0 {
		errs = append(errs, field.Forbidden(child(spec, "resources", "requests", "storage"), "field can not be less than status.capacity"))
	}
	errs = append(errs, unchanged(child(root, "volumeMode"), c.Spec.VolumeMode, old.Spec.VolumeMode)...)
	if attributes := c.Spec.VolumeAttributesClassName; old.Status.CurrentVolumeAttributesClassName != nil &&
		!equality.Semantic.DeepEqual(attributes, old.Spec.VolumeAttributesClassName) && value(attributes) == "" {
		to := "empty string"
		if attributes == nil {
			to = "nil"
		}
		errs = append(errs, field.Forbidden(child(spec, "volumeAttributesClassName"),
			fmt.Sprintf("update to %s is forbidden when status.currentVolumeAttributesClassName is not nil", to)))
	}
	return errs
}

func validateClaimStatus(c, _ *corev1.PersistentVolumeClaim, root *field.Path) errorList {
	var errs errorList
	if c.ResourceVersion == "" {
		errs = append(errs, field.Required(child(root, "resourceVersion"), ""))
	}
	if len(c.Spec.AccessModes) == 0 {
		errs = append(errs, field.Required(child(root, "Spec", "accessModes"), ""))
	}
	for name, q := range sorted(c.Status.Capacity).each {
		errs = append(errs, aQuantity(q, keyed(child(root, "status", "capacity"), string(name)))...)
	}
	at := child(root, "status", "allocatedResourceStatuses")
	known := []corev1.ClaimResourceStatus{
		corev1.PersistentVolumeClaimControllerResizeInProgress, corev1.PersistentVolumeClaimControllerResizeInfeasible,
		corev1.PersistentVolumeClaimNodeResizeInProgress, corev1.PersistentVolumeClaimNodeResizeInfeasible, corev1.PersistentVolumeClaimNodeResizePending,
	}
	slices.Sort(known)
	for name, status := range sorted(c.Status.AllocatedResourceStatuses).each {
		errs = append(errs, claimResource(name, at)...)
		if !slices.Contains(known, status) {
			errs = append(errs, field.NotSupported(at, name, known))
		}
	}
	at = child(root, "status", "allocatedResources")
	for name, q := range sorted(c.Status.AllocatedResources).each {
		wrong := claimResource(name, at)
		if len(wrong) == 0 {
			wrong = aQuantity(q, keyed(at, string(name)))
		}
		errs = append(errs, wrong...)
	}
	return errs
}

func claimResource(r corev1.ResourceName, at *field.Path) errorList {
	if errs := qualifiedName(at, string(r)); len(errs) > 0 {
		return errs
	}
	if isNative(r) && r != corev1.ResourceStorage {
		return oneOf(at, r, corev1.ResourceStorage)
	}
	return nil
}

const useStorageClassName = `deprecated since v1.8; use "storageClassName" attribute instead`

func claimWarnings(c, _ *corev1.PersistentVolumeClaim, root *field.Path) []string {
	var out []string
	if _, ok := c.Annotations[oldStorageClass]; ok {
		out = append(out, fmt.Sprintf("%s: %s", keyed(child(root, "metadata", "annotations"), oldStorageClass), useStorageClassName))
	}
	return append(out, claimSpecWarnings(&c.Spec, child(root, "spec"))...)
}

func claimSpecWarnings(s *corev1.PersistentVolumeClaimSpec, path *field.Path) []string {
	return append(fractionWarnings(s.Resources.Requests, child(path, "resources", "requests"), corev1.ResourceStorage),
		fractionWarnings(s.Resources.Limits, child(path, "resources", "limits"), corev1.ResourceStorage)...)
}

// fractionWarnings: of memory and storage there are whole bytes only.
func fractionWarnings(l corev1.ResourceList, path *field.Path, names ...corev1.ResourceName) []string {
	var out []string
	for _, name := range names {
		if q, ok := l[name]; ok && q.MilliValue()%1000 != 0 {
			out = append(out, fmt.Sprintf("%s: fractional byte value %q is invalid, must be an integer", keyed(path, string(name)), q.String()))
		}
	}
	return out
}
