package customresource

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/sets"
)

// taken are the names that other definitions of a group have.
type taken struct{ resources, kinds sets.Set[string] }

func namesOf(others []*apiextensionsv1.CustomResourceDefinition) taken {
	t := taken{sets.Set[string]{}, sets.Set[string]{}}
	for _, c := range others {
		n := c.Status.AcceptedNames
		t.resources.Insert(n.Plural, n.Singular)
		t.resources.Insert(n.ShortNames...)
		t.kinds.Insert(n.Kind, n.ListKind)
	}
	return t
}

// acceptNames gives a definition the names that it asks for, as far as they are free, and says so in its conditions.
// Source: calculateNamesAndConditions in k8s.io/apiextensions-apiserver/pkg/controller/status/naming_controller.go.
func acceptNames(crd *apiextensionsv1.CustomResourceDefinition, others taken, now time.Time) {
	asked, have := crd.Spec.Names, &crd.Status.AcceptedNames
	cond := apiextensionsv1.CustomResourceDefinitionCondition{
		Type: apiextensionsv1.NamesAccepted, Status: apiextensionsv1.ConditionTrue, Reason: "NoConflicts", Message: "no conflicts found",
	}
	refuse := func(reason string, err error) {
		cond.Status, cond.Reason, cond.Message = apiextensionsv1.ConditionFalse, reason, err.Error()
	}
	had := slices.Clone(have.ShortNames)
	for _, name := range []struct {
		asked  string
		have   *string
		taken  sets.Set[string]
		reason string
	}{
		{asked.Plural, &have.Plural, others.resources, "PluralConflict"},
		{asked.Singular, &have.Singular, others.resources, "SingularConflict"},
		{"", nil, nil, "ShortNamesConflict"},
		{asked.Kind, &have.Kind, others.kinds, "KindConflict"},
		{asked.ListKind, &have.ListKind, others.kinds, "ListKindConflict"},
	} {
		if name.have == nil {
			if reflect.DeepEqual(asked.ShortNames, had) {
				continue
			}
			if err := shortNamesFree(asked.ShortNames, had, others.resources); err != nil {
				refuse(name.reason, err)
			} else {
				have.ShortNames = slices.Clone(asked.ShortNames)
			}
			continue
		}
		if err := free(name.asked, *name.have, name.taken); err != nil {
			refuse(name.reason, err)
		} else {
			*name.have = name.asked
		}
	}
	have.Categories = slices.Clone(asked.Categories)
	setCondition(crd, cond, now)
	establish(crd, cond.Status == apiextensionsv1.ConditionTrue, now)
}

func free(asked, have string, taken sets.Set[string]) error {
	if asked == have || !taken.Has(asked) {
		return nil
	}
	return fmt.Errorf("%q is already in use", asked)
}

func shortNamesFree(asked, have []string, taken sets.Set[string]) error {
	var errs []error
	for _, name := range asked {
		if !slices.Contains(have, name) && taken.Has(name) {
			errs = append(errs, fmt.Errorf("%q is already in use", name))
		}
	}
	if err := utilerrors.NewAggregate(errs); err != nil {
		return errors.New(err.Error())
	}
	return nil
}

// establish says that a definition is served, which it remains even if it loses names later.
func establish(crd *apiextensionsv1.CustomResourceDefinition, namesAccepted bool, now time.Time) {
	if isTrue(crd, apiextensionsv1.Established) {
		return
	}
	cond := apiextensionsv1.CustomResourceDefinitionCondition{
		Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionFalse, Reason: "NotAccepted", Message: "not all names are accepted",
	}
	if namesAccepted {
		cond.Status, cond.Reason, cond.Message = apiextensionsv1.ConditionTrue, "InitialNamesAccepted", "the initial names have been accepted"
		if isWebhook(crd.Spec.Conversion) && !certificates(crd.Spec.Conversion.Webhook.ClientConfig.CABundle) {
			cond.Status, cond.Reason, cond.Message = apiextensionsv1.ConditionFalse, "InvalidCABundle", "The conversion webhook CABundle is invalid"
		}
	}
	setCondition(crd, cond, now)
}

func condition(crd *apiextensionsv1.CustomResourceDefinition, t apiextensionsv1.CustomResourceDefinitionConditionType) *apiextensionsv1.CustomResourceDefinitionCondition {
	for i := range crd.Status.Conditions {
		if crd.Status.Conditions[i].Type == t {
			return &crd.Status.Conditions[i]
		}
	}
	return nil
}

func isTrue(crd *apiextensionsv1.CustomResourceDefinition, t apiextensionsv1.CustomResourceDefinitionConditionType) bool {
	c := condition(crd, t)
	return c != nil && c.Status == apiextensionsv1.ConditionTrue
}

func setCondition(crd *apiextensionsv1.CustomResourceDefinition, c apiextensionsv1.CustomResourceDefinitionCondition, now time.Time) {
	c.LastTransitionTime = metav1.NewTime(now).Rfc3339Copy()
	have := condition(crd, c.Type)
	if have == nil {
		crd.Status.Conditions = append(slices.Clip(crd.Status.Conditions), c)
		return
	}
	if have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	*have = c
}
