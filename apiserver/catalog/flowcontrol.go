package catalog

import (
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
)

// The server does not queue requests by these; it keeps and checks them for those who manage them.
func flowcontrolKinds() []*Kind {
	gv := flowcontrolv1.SchemeGroupVersion
	return []*Kind{
		row[flowcontrolv1.FlowSchema, flowcontrolv1.FlowSchemaList](gv, Kind{
			Resource:     "flowschemas",
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default:              on(defaultFlowSchema),
				PrepareForCreate:     on(func(f *flowcontrolv1.FlowSchema) { f.Status = flowcontrolv1.FlowSchemaStatus{} }),
				Validate:             check(validateFlowSchema),
				ValidateStatusUpdate: checkChange(validateFlowSchemaStatus),
				StatusKeepsMetadata:  true,
				Generation:           true,
			},
			Table: flowSchemaTable(),
		}),
		row[flowcontrolv1.PriorityLevelConfiguration, flowcontrolv1.PriorityLevelConfigurationList](gv, Kind{
			Resource:     "prioritylevelconfigurations",
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default: on(defaultPriorityLevel),
				PrepareForCreate: on(func(p *flowcontrolv1.PriorityLevelConfiguration) {
					p.Status = flowcontrolv1.PriorityLevelConfigurationStatus{}
				}),
				Validate:             check(validatePriorityLevel),
				ValidateStatusUpdate: checkChange(validatePriorityLevelStatus),
				StatusKeepsMetadata:  true,
				Generation:           true,
			},
			Table: priorityLevelTable(),
		}),
	}
}

// Source: k8s.io/kubernetes/pkg/apis/flowcontrol/v1/defaults.go.

func defaultFlowSchema(f *flowcontrolv1.FlowSchema) {
	if f.Spec.MatchingPrecedence == 0 {
		f.Spec.MatchingPrecedence = 1000
	}
}

func defaultPriorityLevel(p *flowcontrolv1.PriorityLevelConfiguration) {
	if e := p.Spec.Exempt; e != nil {
		setDefault(&e.NominalConcurrencyShares, 0)
		setDefault(&e.LendablePercent, 0)
	}
	if l := p.Spec.Limited; l != nil {
		setDefault(&l.NominalConcurrencyShares, 30)
		setDefault(&l.LendablePercent, 0)
		if q := l.LimitResponse.Queuing; q != nil {
			setDefaultValue(&q.HandSize, 8)
			setDefaultValue(&q.Queues, 64)
			setDefaultValue(&q.QueueLengthLimit, 50)
		}
	}
}

func flowSchemaTable() Table {
	doc := flowcontrolv1.FlowSchemaSpec{}.SwaggerDoc()
	return table(func(f *flowcontrolv1.FlowSchema, now time.Time) []any {
		method, missing := "<none>", "?"
		if m := f.Spec.DistinguisherMethod; m != nil {
			method = string(m.Type)
		}
		for _, c := range f.Status.Conditions {
			if c.Type == flowcontrolv1.FlowSchemaConditionDangling {
				missing = string(c.Status)
				break
			}
		}
		return []any{
			f.Name, f.Spec.PriorityLevelConfiguration.Name, count(f.Spec.MatchingPrecedence), method, Age(f.CreationTimestamp, now), missing,
		}
	},
		nameColumn(),
		column("PriorityLevel", "string", flowcontrolv1.PriorityLevelConfigurationReference{}.SwaggerDoc()["name"]),
		column("MatchingPrecedence", "string", doc["matchingPrecedence"]),
		column("DistinguisherMethod", "string", doc["distinguisherMethod"]),
		ageColumn(),
		column("MissingPL", "string", "references a broken or non-existent PriorityLevelConfiguration"),
	)
}

func priorityLevelTable() Table {
	doc := flowcontrolv1.QueuingConfiguration{}.SwaggerDoc()
	return table(func(p *flowcontrolv1.PriorityLevelConfiguration, now time.Time) []any {
		var shares, queues, hand, length any = "<none>", "<none>", "<none>", "<none>"
		if l := p.Spec.Limited; l != nil {
			shares = value(l.NominalConcurrencyShares)
			if q := l.LimitResponse.Queuing; q != nil {
				queues, hand, length = q.Queues, q.HandSize, q.QueueLengthLimit
			}
		}
		return []any{p.Name, string(p.Spec.Type), shares, queues, hand, length, Age(p.CreationTimestamp, now)}
	},
		nameColumn(),
		column("Type", "string", flowcontrolv1.PriorityLevelConfigurationSpec{}.SwaggerDoc()["type"]),
		column("NominalConcurrencyShares", "string", flowcontrolv1.LimitedPriorityLevelConfiguration{}.SwaggerDoc()["nominalConcurrencyShares"]),
		column("Queues", "string", doc["queues"]),
		column("HandSize", "string", doc["handSize"]),
		column("QueueLengthLimit", "string", doc["queueLengthLimit"]),
		ageColumn(),
	)
}
