package main

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"strings"
)

// request is one request of the corpus. In path, headers and body {ns} stands for the file's own namespace, and
// {name} for a value that an earlier request has saved, {1000*text} for a thousand times the text ({1000*|{"a":|} where it has
// braces itself), and {hex fffe} for bytes.
type request struct {
	title        string
	method, path string
	headers      [][2]string
	body         string
	save         [][2]string // name, JSON path into the answer, or header.NAME
	until        string      // PATH=TEXT: it is sent until what is there in the answer contains the text
}

// readCorpus reads a file of requests:
//
//	### title
//	POST /api/v1/namespaces/{ns}/configmaps?dryRun=All
//	Content-Type: application/yaml
//	Save: version=metadata.resourceVersion
//	Save: tag=header.Etag
//	Until: status.conditions=Established
//
//	body, until the next title
func readCorpus(file string) ([]request, error) {
	if path.Ext(file) == ".yaml" {
		return readSubjects(file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []request
	for i, block := range strings.Split("\n"+string(b), "\n### ") {
		if i == 0 {
			continue // what the file says of itself
		}
		r, err := parseRequest(block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// parseRequest reads one request, its title in front.
func parseRequest(block string) (request, error) {
	title, rest, _ := strings.Cut(block, "\n")
	head, body, _ := strings.Cut(rest, "\n\n")
	r := request{title: strings.TrimSpace(title), body: strings.TrimSpace(body)}
	lines := bufio.NewScanner(strings.NewReader(head))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case r.method == "":
			var ok bool
			if r.method, r.path, ok = strings.Cut(line, " "); !ok {
				return r, fmt.Errorf("%q: want METHOD PATH, have %q", title, line)
			}
		default:
			k, v, ok := strings.Cut(line, ":")
			if !ok {
				return r, fmt.Errorf("%q: want Header: value, have %q", title, line)
			}
			v = strings.TrimSpace(v)
			switch k {
			case "Save":
				name, from, _ := strings.Cut(v, "=")
				r.save = append(r.save, [2]string{name, from})
				continue
			case "Until":
				r.until = v
				continue
			}
			r.headers = append(r.headers, [2]string{k, v})
		}
	}
	if r.method == "" {
		return r, fmt.Errorf("%q has no request", title)
	}
	return r, nil
}

// knownDifference is a line of known.txt: title pattern | path pattern | reason.
type knownDifference struct {
	title, path, reason string
	used                bool
}

type knownDifferences []*knownDifference

func readKnown(file string) (knownDifferences, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all knownDifferences
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.SplitN(line, "|", 3)
		if len(f) != 3 || strings.TrimSpace(f[2]) == "" {
			return nil, fmt.Errorf("%s: want TITLE | PATH | REASON, have %q", file, line)
		}
		all = append(all, &knownDifference{title: strings.TrimSpace(f[0]), path: strings.TrimSpace(f[1]), reason: strings.TrimSpace(f[2])})
	}
	return all, nil
}

// filter returns the differences that are not known.
func (ks knownDifferences) filter(title string, ds []difference) []difference {
	var rest []difference
	for _, d := range ds {
		found := false
		for _, k := range ks {
			if matches(k.title, title) && matches(k.path, d.path) {
				k.used, found = true, true
			}
		}
		if !found {
			rest = append(rest, d)
		}
	}
	return rest
}

// matches knows * as anything, slashes included.
func matches(pattern, s string) bool {
	flat := strings.NewReplacer("/", "\x01", "[", "\x02", "]", "\x03").Replace
	ok, _ := path.Match(flat(pattern), flat(s))
	return ok
}
