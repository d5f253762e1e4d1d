package oidc

import (
	"context"
	"errors"
	"fmt"
	"time"

	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/lazy"

	"coracle/authn"
)

// judge verifies a token, makes a user of its claims, and asks the rules that were configured about both. The order, and so which of
// several errors is told, is upstream's.
func (i *issuer) judge(ctx context.Context, raw string, now time.Time) (judged, error) {
	c, keys, until, err := i.verify(ctx, i.source, raw, now)
	if err != nil {
		return judged{}, prefixed("oidc: verify token: ", err)
	}
	fetched, err := i.expand(ctx, c, now)
	if err != nil {
		return judged{}, prefixed("oidc: could not expand distributed claims: ", err)
	}
	if fetched && now.Add(distributedTTL).Before(until) {
		until = now.Add(distributedTTL)
	}
	info, err := i.user(ctx, c)
	if err != nil {
		return judged{}, err
	}
	return judged{issuer: i, keys: keys, until: until, answer: authn.Answer{Verdict: authn.Accepted, User: info}}, nil
}

// prefixed puts words before Kubernetes' sentence of a refusal, and leaves alone what was seen.
func prefixed(words string, err error) error {
	if r, ok := errors.AsType[*authn.Refusal](err); ok {
		return &authn.Refusal{Sentence: words + r.Sentence, Seen: r.Seen}
	}
	return fmt.Errorf("%s%w", words, err)
}

func (i *issuer) user(ctx context.Context, c claims) (user.Info, error) {
	var value *lazy.MapValue // the claims for CEL, unless there are no expressions
	if m := i.mapper; m.Username != nil || m.Groups != nil || m.UID != nil || m.Extra != nil || m.ClaimValidationRules != nil {
		value = claimsValue(c)
	}
	info := &user.DefaultInfo{}
	var err error
	if info.Name, err = i.username(ctx, c, value); err != nil {
		return nil, err
	}
	if info.Groups, err = i.groups(ctx, c, value); err != nil {
		return nil, err
	}
	if info.UID, err = i.uid(ctx, c, value); err != nil {
		return nil, err
	}
	if info.Extra, err = i.extra(ctx, c, value); err != nil {
		return nil, err
	}
	if err := i.requiredClaims(c); err != nil {
		return nil, err
	}
	if i.mapper.ClaimValidationRules != nil {
		results, err := i.mapper.ClaimValidationRules.EvalClaimMappings(ctx, value)
		if err == nil {
			err = holds(results)
		}
		if err != nil {
			return nil, fmt.Errorf("oidc: error evaluating claim validation expression: %w", err)
		}
	}
	if i.mapper.UserValidationRules != nil {
		results, err := i.mapper.UserValidationRules.EvalUser(ctx, userValue(info))
		if err == nil {
			err = holds(results)
		}
		if err != nil {
			return nil, fmt.Errorf("oidc: error evaluating user info validation rule: %w", err)
		}
	}
	return info, nil
}

func (i *issuer) username(ctx context.Context, c claims, value *lazy.MapValue) (string, error) {
	if i.mapper.Username != nil {
		result, err := i.mapper.Username.EvalClaimMapping(ctx, value)
		if err != nil {
			return "", fmt.Errorf("oidc: error evaluating username claim expression: %w", err)
		}
		name, ok := result.EvalResult.Value().(string)
		if !ok {
			return "", errors.New("oidc: error evaluating username claim expression: username claim expression must return a string")
		}
		if name == "" {
			return "", errors.New("oidc: empty username via CEL expression is not allowed")
		}
		return name, nil
	}
	mapping := i.config.ClaimMappings.Username
	var name string
	if err := c.read(mapping.Claim, &name); err != nil {
		return "", fmt.Errorf("oidc: parse username claims %q: %w", mapping.Claim, err)
	}
	if _, ok := c["email_verified"]; ok && mapping.Claim == "email" {
		var verified bool
		if err := c.read("email_verified", &verified); err != nil {
			return "", fmt.Errorf("oidc: parse 'email_verified' claim: %w", err)
		}
		if !verified {
			return "", errors.New("oidc: email not verified")
		}
	}
	if mapping.Prefix != nil {
		name = *mapping.Prefix + name
	}
	return name, nil
}

func (i *issuer) groups(ctx context.Context, c claims, value *lazy.MapValue) ([]string, error) {
	mapping := i.config.ClaimMappings.Groups
	if _, ok := c[mapping.Claim]; ok && mapping.Claim != "" {
		var groups []string
		if err := c.read(mapping.Claim, &groups); err != nil {
			var one string // some issuers have a single group, as a string
			if err := c.read(mapping.Claim, &one); err != nil {
				return nil, fmt.Errorf("oidc: parse groups claim %q: %w", mapping.Claim, err)
			}
			groups = []string{one}
		}
		if mapping.Prefix != nil {
			for n := range groups {
				groups[n] = *mapping.Prefix + groups[n]
			}
		}
		return groups, nil
	}
	if i.mapper.Groups == nil {
		return nil, nil
	}
	result, err := i.mapper.Groups.EvalClaimMapping(ctx, value)
	if err != nil {
		return nil, fmt.Errorf("oidc: error evaluating group claim expression: %w", err)
	}
	groups, err := stringsOf(result.EvalResult)
	if err != nil {
		return nil, fmt.Errorf("oidc: error evaluating group claim expression: %w", err)
	}
	return groups, nil
}

func (i *issuer) uid(ctx context.Context, c claims, value *lazy.MapValue) (string, error) {
	if claim := i.config.ClaimMappings.UID.Claim; claim != "" {
		var uid string
		if err := c.read(claim, &uid); err != nil {
			return "", fmt.Errorf("oidc: parse uid claim %q: %w", claim, err)
		}
		return uid, nil
	}
	if i.mapper.UID == nil {
		return "", nil
	}
	result, err := i.mapper.UID.EvalClaimMapping(ctx, value)
	if err != nil {
		return "", fmt.Errorf("oidc: error evaluating uid claim expression: %w", err)
	}
	uid, ok := result.EvalResult.Value().(string)
	if !ok {
		return "", errors.New("oidc: error evaluating uid claim expression: uid claim expression must return a string")
	}
	return uid, nil
}

func (i *issuer) extra(ctx context.Context, c claims, value *lazy.MapValue) (map[string][]string, error) {
	fields := map[string][]string{}
	var id string
	if c.read("jti", &id) == nil && id != "" {
		fields[user.CredentialIDKey] = []string{"JTI=" + id}
	}
	if i.mapper.Extra != nil {
		results, err := i.mapper.Extra.EvalClaimMappings(ctx, value)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			mapping, ok := r.ExpressionAccessor.(*authenticationcel.ExtraMappingExpression)
			if !ok {
				return nil, errors.New("oidc: error evaluating extra claim expression: invalid type conversion, expected ExtraMappingCondition")
			}
			values, err := stringsOf(r.EvalResult)
			if err != nil {
				return nil, fmt.Errorf("oidc: error evaluating extra claim expression: %s: %w", mapping.Expression, err)
			}
			if len(values) > 0 {
				fields[mapping.Key] = values
			}
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	return fields, nil
}

// requiredClaims are the rules that compare one claim with one value.
func (i *issuer) requiredClaims(c claims) error {
	for _, rule := range i.config.ClaimValidationRules {
		if rule.Claim == "" {
			continue
		}
		if _, ok := c[rule.Claim]; !ok {
			return fmt.Errorf("oidc: required claim %s not present in ID token", rule.Claim)
		}
		var value string
		if err := c.read(rule.Claim, &value); err != nil {
			return fmt.Errorf("oidc: parse claim %s: %w", rule.Claim, err)
		}
		if value != rule.RequiredValue {
			return fmt.Errorf("oidc: required claim %s value does not match. Got = %s, want = %s", rule.Claim, value, rule.RequiredValue)
		}
	}
	return nil
}
