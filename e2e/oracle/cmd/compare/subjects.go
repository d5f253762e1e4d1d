package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// subject is an object, to which the same requests are put as to all others of its file. Each of the variants is a
// set of changes to the object, PATH: VALUE, such as spec.template.spec.containers.0.image: null, where null removes.
type subject struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Path       string `json:"path"` // of the collection
	Name       string `json:"name"` // "it" where the file says nothing

	Object   map[string]any              `json:"object"` // besides apiVersion, kind and metadata.name
	Variants map[string][]map[string]any `json:"variants"`
	Without  []string                    `json:"without"` // requests of the template that make no sense for it
	Settled  string                      `json:"settled"` // PATH=TEXT of what a server's own controllers write of it
}

// readSubjects reads a file of subjects, and the requests that its field requests names, in which {kind}, {apiVersion},
// {path}, {name} and {object} stand for what the subject has. Of a request, a header
//
//	Once: yes     sends it but once, before all subjects where it comes first, and after them where it comes last;
//	For: create   sends it for each of the subject's variants of that name: {variant} is the change, {object} the result;
//	Only: status  sends it where the subject has such variants;
//	Until: {settled}  sends it where the subject says what to wait for.
func readSubjects(file string) ([]request, error) {
	var f struct {
		Requests string    `json:"requests"`
		Subjects []subject `json:"subjects"`
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict(b, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	template, err := os.ReadFile(filepath.Join(filepath.Dir(file), f.Requests))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var once, each []string
	last := 0
	for i, block := range strings.Split("\n"+string(template), "\n### ") {
		switch {
		case i == 0:
		case directive(block, "Once") != "":
			once = append(once, block)
			if len(each) == 0 {
				last = len(once)
			}
		default:
			each = append(each, block)
		}
	}
	blocks := once[:last:last]
	for _, s := range f.Subjects {
		if s.Name == "" {
			s.Name = "it"
		}
		for _, block := range each {
			more, err := s.fill(block)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, s.Kind, err)
			}
			blocks = append(blocks, more...)
		}
	}
	var all []request
	for _, block := range append(blocks, once[last:]...) {
		r, err := parseRequest(directives.ReplaceAllString(block, ""))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, r)
	}
	return all, nil
}

var directives = regexp.MustCompile(`(?m)^(Once|For|Only): .*\n?`)

// directive returns what a line of a request's head says.
func directive(block, name string) string {
	head, _, _ := strings.Cut(block, "\n\n")
	for line := range strings.Lines(head) {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// fill returns a request of the template as often as it is to be sent for s.
func (s *subject) fill(block string) ([]string, error) {
	title, _, _ := strings.Cut(block, "\n")
	if slices.ContainsFunc(s.Without, func(w string) bool { return matches("{kind} "+w, strings.TrimSpace(title)) }) {
		return nil, nil
	}
	if only := directive(block, "Only"); only != "" && s.Variants[only] == nil {
		return nil, nil
	}
	if directive(block, "Until") == "{settled}" && s.Settled == "" {
		return nil, nil
	}
	variants := []map[string]any{nil}
	if name := directive(block, "For"); name != "" {
		variants = s.Variants[name]
	}
	var all []string
	for _, variant := range variants {
		object, err := s.object(variant)
		if err != nil {
			return nil, err
		}
		all = append(all, strings.NewReplacer("{kind}", s.Kind, "{apiVersion}", s.APIVersion, "{path}", s.Path, "{name}", s.Name, "{settled}", s.Settled,
			"{variant}", describe(variant), "{object}", object).Replace(block))
	}
	return all, nil
}

// object is the subject as JSON, changed.
func (s *subject) object(changes map[string]any) (string, error) {
	var object map[string]any
	b, err := json.Marshal(s.Object) // a copy
	if err == nil {
		err = json.Unmarshal(b, &object)
	}
	if err != nil {
		return "", err
	}
	if object == nil {
		object = map[string]any{}
	}
	object["apiVersion"], object["kind"] = s.APIVersion, s.Kind
	if object["metadata"] == nil {
		object["metadata"] = map[string]any{}
	}
	object["metadata"].(map[string]any)["name"] = s.Name
	for _, path := range slices.Sorted(maps.Keys(changes)) {
		if _, err := set(object, strings.Split(path, "."), changes[path]); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	b, err = json.Marshal(object)
	return string(b), err
}

// set changes what is at path in v, and returns v.
func set(v any, path []string, to any) (any, error) {
	if len(path) == 0 {
		return to, nil
	}
	if list, ok := v.([]any); ok {
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(list) {
			return nil, fmt.Errorf("a list has no %q", path[0])
		}
		if i == len(list) {
			list = append(list, nil)
		}
		list[i], err = set(list[i], path[1:], to)
		return list, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	if len(path) == 1 && to == nil {
		delete(m, path[0])
		return m, nil
	}
	inner, err := set(m[path[0]], path[1:], to)
	m[path[0]] = inner
	return m, err
}

// describe is a change in words for a title.
func describe(changes map[string]any) string {
	var words []string
	for _, path := range slices.Sorted(maps.Keys(changes)) {
		b, _ := json.Marshal(changes[path])
		if len(b) > 200 {
			b = append(b[:200:200], "..."...)
		}
		words = append(words, path+"="+string(b))
	}
	return strings.Join(words, " ")
}
