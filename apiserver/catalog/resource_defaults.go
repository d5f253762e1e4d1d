package catalog

import (
	"time"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func defaultResourceClaim(c *resourcev1.ResourceClaim) {
	defaultDeviceRequests(c.Spec.Devices.Requests)
	if a := c.Status.Allocation; a != nil {
		for i := range a.Devices.Results {
			defaultDeviceTolerations(a.Devices.Results[i].Tolerations)
		}
	}
}

func defaultDeviceRequests(requests []resourcev1.DeviceRequest) {
	for i := range requests {
		if r := requests[i].Exactly; r != nil {
			defaultAllocation(&r.AllocationMode, &r.Count)
			defaultDeviceTolerations(r.Tolerations)
		}
		for j := range requests[i].FirstAvailable {
			r := &requests[i].FirstAvailable[j]
			defaultAllocation(&r.AllocationMode, &r.Count)
			defaultDeviceTolerations(r.Tolerations)
		}
	}
}

func defaultAllocation(mode *resourcev1.DeviceAllocationMode, count *int64) {
	setDefaultValue(mode, resourcev1.DeviceAllocationModeExactCount)
	if *mode == resourcev1.DeviceAllocationModeExactCount {
		setDefaultValue(count, 1)
	}
}

func defaultDeviceTolerations(tolerations []resourcev1.DeviceToleration) {
	for i := range tolerations {
		setDefaultValue(&tolerations[i].Operator, resourcev1.DeviceTolerationOpEqual)
	}
}

func defaultResourceSlice(s *resourcev1.ResourceSlice) {
	for i := range s.Spec.Devices {
		for j := range s.Spec.Devices[i].Taints {
			defaultDeviceTaint(&s.Spec.Devices[i].Taints[j])
		}
	}
}

func defaultDeviceTaint(t *resourcev1.DeviceTaint) { setDefault(&t.TimeAdded, thisSecond()) }

// prepareTaintRuleChange restarts the time that is tolerated when the effect changes.
func prepareTaintRuleChange(r, old *resourcev1.DeviceTaintRule) {
	t, before := &r.Spec.Taint, &old.Spec.Taint
	if t.Effect != before.Effect && t.TimeAdded.Equal(before.TimeAdded) {
		t.TimeAdded = new(thisSecond())
	}
}

// thisSecond is now, as exact as the wire can tell.
func thisSecond() metav1.Time { return metav1.NewTime(time.Now().Truncate(time.Second)) }
