package crdvalidation

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Upstream's limits of what rules may cost, estimated without an object: one expression, and all of a schema.
const (
	expressionLimit = 10_000_000
	schemaLimit     = 100_000_000
)

// rules is what the CEL rules at one place of a schema need: the types there, and how often the place can occur in
// one object.
// Source: CELSchemaContext in k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/cel_validation.go.
type rules struct {
	schema   *schema
	within   bool // there are rules here or above
	types    *types
	parent   *rules
	from     func(*types) *types // the types here, taken from the parent's
	times    uint64              // unbounded: any number
	total    *total
	typesErr error
}

const unbounded = math.MaxUint64

type types struct {
	schema   *structuralschema.Structural
	declared *apiservercel.DeclType
}

func rootRules(s *schema) *rules {
	return &rules{schema: s, within: len(s.XValidations) > 0, times: 1, total: &total{}}
}

func (r *rules) child(s *schema, from func(*types) *types) *rules {
	if r == nil || s == nil {
		return nil
	}
	return &rules{
		schema: s, within: r.within || len(s.XValidations) > 0, parent: r, from: from, total: r.total,
		times: times(r.times, occurrences(r.schema)),
	}
}

func (r *rules) property(s *schema, name string) *rules {
	return r.child(s, func(t *types) *types {
		p, known := t.schema.Properties[name]
		escaped, ok := apiservercel.Escape(name)
		if !known || !ok || t.declared.Fields[escaped] == nil {
			return nil
		}
		return &types{&p, t.declared.Fields[escaped].Type}
	})
}

func (r *rules) items(s *schema) *rules {
	return r.child(s, func(t *types) *types {
		if t.schema.Items == nil {
			return nil
		}
		return &types{t.schema.Items, t.declared.ElemType}
	})
}

func (r *rules) values(s *schema) *rules {
	return r.child(s, func(t *types) *types {
		if t.schema.AdditionalProperties == nil {
			return nil
		}
		return &types{t.schema.AdditionalProperties.Structural, t.declared.ElemType}
	})
}

// occurrences is how many children a value can have for each place below it.
func occurrences(s *schema) uint64 {
	limit := (*int64)(nil)
	switch {
	case s.Type == "object" && s.AdditionalProperties != nil:
		limit = s.MaxProperties
	case s.Type == "array":
		limit = s.MaxItems
	default:
		return 1
	}
	if limit == nil {
		return unbounded
	}
	return uint64(max(0, *limit))
}

func times(a, b uint64) uint64 {
	switch {
	case a == 0:
		return 0
	case a == unbounded || b == unbounded || math.MaxUint64/a < b:
		return unbounded
	}
	return a * b
}

// typed finds the types at the place: from above if they are known there, since making them costs much.
func (r *rules) typed() (*types, error) {
	if !r.within || r.types != nil || r.typesErr != nil {
		return r.types, r.typesErr
	}
	if r.parent != nil {
		above, err := r.parent.typed()
		if err != nil {
			r.typesErr = err
			return nil, err
		}
		if above != nil {
			if r.types = r.from(above); r.types != nil {
				return r.types, nil
			}
		}
	}
	s, err := structuralschema.NewStructural(r.schema)
	if err != nil {
		r.typesErr = err
		return nil, err
	}
	declared := model.SchemaDeclType(s, r.parent == nil || r.schema.XEmbeddedResource)
	if declared == nil {
		r.typesErr = fmt.Errorf("unable to convert structural schema to CEL declarations")
		return nil, r.typesErr
	}
	r.types = &types{s, declared}
	return r.types, nil
}

// compile checks that the rules at the place are CEL, and what they may cost.
func (r *rules) compile(s *schema, at *field.Path, uncorrelated *field.Path) field.ErrorList {
	list := at.Child("x-kubernetes-validations")
	t, err := r.typed()
	switch {
	case err != nil:
		return field.ErrorList{field.InternalError(list, fmt.Errorf("internal error: failed to construct type information for x-kubernetes-validations rules: %s", err))}
	case t == nil:
		return field.ErrorList{field.InternalError(list, fmt.Errorf("internal error: failed to retrieve type information for x-kubernetes-validations"))}
	}
	env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	results, err := cel.Compile(t.schema, t.declared, celconfig.PerCallLimit, env, cel.NewExpressionsEnvLoader())
	if err != nil {
		return field.ErrorList{field.InternalError(list, err)}
	}
	var errs field.ErrorList
	for i, result := range results {
		rule, here := s.XValidations[i], list.Index(i)
		occurs := r.times
		if occurs == unbounded {
			occurs = result.MaxCardinality
		}
		errs = append(errs, r.total.observe(here.Child("rule"), "estimated rule cost", times(result.MaxCost, occurs))...)
		switch e := result.Error; {
		case e == nil:
		case e.Type == apiservercel.ErrorTypeRequired:
			errs = append(errs, field.Required(here.Child("rule"), e.Detail))
		default:
			errs = append(errs, field.Invalid(here.Child("rule"), rule, e.Detail))
		}
		switch message := here.Child("messageExpression"); {
		case result.MessageExpressionError != nil:
			errs = append(errs, field.Invalid(message, rule, result.MessageExpressionError.Detail))
		case result.MessageExpression != nil:
			errs = append(errs, r.total.observe(message, "estimated messageExpression cost", result.MessageExpressionMaxCost)...)
		}
		switch {
		case result.UsesOldSelf && uncorrelated != nil:
			errs = append(errs, field.Invalid(here.Child("rule"), rule.Rule, fmt.Sprintf("oldSelf cannot be used on the uncorrelatable portion of the schema within %v", uncorrelated)))
		case !result.UsesOldSelf && rule.OptionalOldSelf != nil:
			errs = append(errs, field.Invalid(here.Child("optionalOldSelf"), *rule.OptionalOldSelf, "may not be set if oldSelf is not used in rule"))
		}
	}
	return errs
}

// total adds up what the rules of a schema may cost, and remembers the most expensive ones.
type total struct {
	cost  uint64
	worst []expense
}

type expense struct {
	at   *field.Path
	cost uint64
}

func (t *total) observe(at *field.Path, what string, cost uint64) field.ErrorList {
	if math.MaxUint64-t.cost < cost {
		t.cost = math.MaxUint64
	} else {
		t.cost += cost
	}
	if cost >= schemaLimit/100 {
		t.worst = append(t.worst, expense{at, cost})
		slices.SortStableFunc(t.worst, func(a, b expense) int {
			if a.cost > b.cost {
				return -1
			}
			return 1
		})
		t.worst = t.worst[:min(4, len(t.worst))]
	}
	if cost > expressionLimit {
		return field.ErrorList{field.Forbidden(at, tooExpensive(what, cost, expressionLimit))}
	}
	return nil
}

func (t *total) tooMuch(at *field.Path) field.ErrorList {
	if t.cost <= schemaLimit {
		return nil
	}
	var errs field.ErrorList
	for _, e := range t.worst {
		errs = append(errs, field.Forbidden(e.at, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"))
	}
	return append(errs, field.Forbidden(at, tooExpensive("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", t.cost, schemaLimit)))
}

func tooExpensive(what string, cost, limit uint64) string {
	factor := fmt.Sprintf("%.1fx", float64(cost)/float64(limit))
	switch times := float64(cost) / float64(limit); {
	case times > 100:
		factor = "more than 100x"
	case times < 1.5:
		factor = fmt.Sprintf("%fx", times)
	}
	return fmt.Sprintf("%s exceeds budget by factor of %s (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)", what, factor)
}

// ruleTexts checks the texts of rules, before they are read as CEL.
func (w *walk) ruleTexts(s *schema, at *field.Path) {
	for i, rule := range s.XValidations {
		here := at.Child("x-kubernetes-validations").Index(i)
		text, message := strings.TrimSpace(rule.Rule), strings.TrimSpace(rule.Message)
		switch {
		case text == "":
			w.wrong(field.Required(here.Child("rule"), "rule is not specified"))
		case rule.Message != "" && message == "":
			w.wrong(field.Invalid(here.Child("message"), rule.Message, "must be non-empty if specified"))
		case lines(message):
			w.wrong(field.Invalid(here.Child("message"), rule.Message, "must not contain line breaks"))
		case lines(text) && message == "":
			w.wrong(field.Required(here.Child("message"), "message must be specified if rule contains line breaks"))
		}
		if rule.MessageExpression != "" && strings.TrimSpace(rule.MessageExpression) == "" {
			w.wrong(field.Required(here.Child("messageExpression"), "messageExpression must be non-empty if specified"))
		}
		reasons := []apiextensions.FieldValueErrorReason{apiextensions.FieldValueDuplicate, apiextensions.FieldValueForbidden, apiextensions.FieldValueInvalid, apiextensions.FieldValueRequired}
		if rule.Reason != nil && !slices.Contains(reasons, *rule.Reason) {
			w.wrong(field.NotSupported(here.Child("reason"), *rule.Reason, reasons))
		}
		if rule.FieldPath == "" {
			continue
		}
		if strings.TrimSpace(rule.FieldPath) == "" {
			w.wrong(field.Invalid(here.Child("fieldPath"), rule.FieldPath, "must be non-empty if specified"))
		}
		if lines(rule.FieldPath) {
			w.wrong(field.Invalid(here.Child("fieldPath"), rule.FieldPath, "must not contain line breaks"))
		}
		if structural, err := structuralschema.NewStructural(s); err == nil {
			if _, _, err := cel.ValidFieldPath(rule.FieldPath, structural); err != nil {
				w.wrong(field.Invalid(here.Child("fieldPath"), rule.FieldPath, "must be a valid path"))
			}
		}
	}
}

func lines(s string) bool { return strings.ContainsAny(s, "\n\r") }
