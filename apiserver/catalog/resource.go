package catalog

import (
	"strings"
	"time"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/fields"
)

func resourceKinds() []*Kind {
	gv := resourcev1.SchemeGroupVersion
	return []*Kind{
		row[resourcev1.DeviceClass, resourcev1.DeviceClassList](gv, Kind{
			Resource:      "deviceclasses",
			ReturnDeleted: true,
			Strategy: Strategy{
				Validate:     check(validateDeviceClass),
				NameDeclared: true,
				Generation:   true,
			},
			Table: table(func(c *resourcev1.DeviceClass, now time.Time) []any {
				return []any{c.Name, Age(c.CreationTimestamp, now)}
			}, nameColumn(), ageColumn()),
		}),
		row[resourcev1.DeviceTaintRule, resourcev1.DeviceTaintRuleList](gv, Kind{
			Resource:     "devicetaintrules",
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default:              on(func(r *resourcev1.DeviceTaintRule) { defaultDeviceTaint(&r.Spec.Taint) }),
				PrepareForCreate:     on(func(r *resourcev1.DeviceTaintRule) { r.Status = resourcev1.DeviceTaintRuleStatus{} }),
				PrepareForUpdate:     onChange(prepareTaintRuleChange),
				Validate:             check(validateTaintRule),
				ValidateStatusUpdate: checkChange(validateTaintRuleStatus),
				StatusKeepsMetadata:  true,
				Generation:           true,
				RequireVersion:       true,
			},
			Table: table(taintRuleCells,
				nameColumn(),
				column("Key", "string", resourcev1.DeviceTaint{}.SwaggerDoc()["key"]),
				column("Value", "string", resourcev1.DeviceTaint{}.SwaggerDoc()["value"]),
				column("Effect", "string", resourcev1.DeviceTaint{}.SwaggerDoc()["effect"]),
				column("TimeAdded", "string", resourcev1.DeviceTaint{}.SwaggerDoc()["timeAdded"]),
				ageColumn()),
		}),
		row[resourcev1.ResourceClaim, resourcev1.ResourceClaimList](gv, Kind{
			Resource:      "resourceclaims",
			Namespaced:    true,
			ReturnDeleted: true,
			Subresources:  onlyStatus(),
			Strategy: Strategy{
				Default:              on(defaultResourceClaim),
				PrepareForCreate:     on(func(c *resourcev1.ResourceClaim) { c.Status = resourcev1.ResourceClaimStatus{} }),
				Validate:             check(validateResourceClaim),
				Revalidate:           checkChange(validateResourceClaimChange),
				ValidateStatusUpdate: checkChange(validateResourceClaimStatus),
				StatusKeepsMetadata:  true,
			},
			Table: table(resourceClaimCells,
				nameColumn(),
				column("State", "string", "A summary of the current state (allocated, pending, reserved, etc.)."),
				ageColumn()),
		}),
		row[resourcev1.ResourceClaimTemplate, resourcev1.ResourceClaimTemplateList](gv, Kind{
			Resource:      "resourceclaimtemplates",
			Namespaced:    true,
			ReturnDeleted: true,
			Strategy: Strategy{
				Default:        on(func(t *resourcev1.ResourceClaimTemplate) { defaultDeviceRequests(t.Spec.Spec.Devices.Requests) }),
				Validate:       check(validateResourceClaimTemplate),
				ValidateUpdate: checkChange(validateResourceClaimTemplateChange),
			},
			Table: table(func(t *resourcev1.ResourceClaimTemplate, now time.Time) []any {
				return []any{t.Name, Age(t.CreationTimestamp, now)}
			}, nameColumn(), ageColumn()),
		}),
		row[resourcev1.ResourceSlice, resourcev1.ResourceSliceList](gv, Kind{
			Resource:      "resourceslices",
			ReturnDeleted: true,
			Strategy: Strategy{
				Default:        on(defaultResourceSlice),
				Validate:       check(validateResourceSlice),
				ValidateUpdate: checkChange(validateResourceSliceChange),
				Warnings:       warnings(resourceSliceWarnings),
				Generation:     true,
			},
			Table: table(resourceSliceCells,
				nameColumn(),
				column("Node", "string", resourcev1.ResourceSliceSpec{}.SwaggerDoc()["nodeName"]),
				column("Driver", "string", resourcev1.ResourceSliceSpec{}.SwaggerDoc()["driver"]),
				column("Pool", "string", resourcev1.ResourcePool{}.SwaggerDoc()["name"]),
				ageColumn()),
			FieldNames:   []string{"spec.driver", "spec.nodeName", "spec.pool.name"},
			UnknownField: "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: %s",
			Fields: fieldsOf(func(s *resourcev1.ResourceSlice) fields.Set {
				return fields.Set{"spec.driver": s.Spec.Driver, "spec.nodeName": value(s.Spec.NodeName), "spec.pool.name": s.Spec.Pool.Name}
			}),
		}),
	}
}

func taintRuleCells(r *resourcev1.DeviceTaintRule, now time.Time) []any {
	t, added := &r.Spec.Taint, ""
	if t.TimeAdded != nil {
		added = Age(*t.TimeAdded, now)
	}
	return []any{r.Name, t.Key, t.Value, string(t.Effect), added, Age(r.CreationTimestamp, now)}
}

func resourceClaimCells(c *resourcev1.ResourceClaim, now time.Time) []any {
	var states []string
	if c.DeletionTimestamp != nil {
		states = append(states, "deleted")
	}
	switch {
	case c.Status.Allocation == nil && c.DeletionTimestamp == nil:
		states = append(states, "pending")
	case c.Status.Allocation == nil:
	case len(c.Status.ReservedFor) > 0:
		states = append(states, "allocated", "reserved")
	default:
		states = append(states, "allocated")
	}
	return []any{c.Name, strings.Join(states, ","), Age(c.CreationTimestamp, now)}
}

func resourceSliceCells(s *resourcev1.ResourceSlice, now time.Time) []any {
	return []any{s.Name, value(s.Spec.NodeName), s.Spec.Driver, s.Spec.Pool.Name, Age(s.CreationTimestamp, now)}
}
