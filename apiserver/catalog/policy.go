package catalog

import (
	policyv1 "k8s.io/api/policy/v1"
)

func policyKinds() []*Kind {
	gv := policyv1.SchemeGroupVersion
	return []*Kind{
		row[policyv1.PodDisruptionBudget, policyv1.PodDisruptionBudgetList](gv, Kind{
			Resource:     "poddisruptionbudgets",
			ShortNames:   []string{"pdb"},
			Namespaced:   true,
			Subresources: onlyStatus(),
		}),
	}
}
