package openapi

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/google/gnostic-models/compiler"
	openapiv2 "github.com/google/gnostic-models/openapiv2"
	openapiv3 "github.com/google/gnostic-models/openapiv3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
)

// protobufV3 and protobufV2 encode a document that is there in JSON. Source: k8s.io/kube-openapi/pkg/handler3 and handler, which read the
// JSON as any YAML; that takes longer than all the rest.
func protobufV3(document []byte) ([]byte, error) {
	root, err := tree(document)
	if err != nil {
		return nil, err
	}
	doc, err := openapiv3.NewDocument(root, compiler.NewContextWithExtensions("$root", root, nil, nil))
	if err != nil {
		return nil, err
	}
	return proto.Marshal(doc)
}

func protobufV2(document []byte) ([]byte, error) {
	root, err := tree(document)
	if err != nil {
		return nil, err
	}
	doc, err := openapiv2.NewDocument(root, compiler.NewContextWithExtensions("$root", root, nil, nil))
	if err != nil {
		return nil, err
	}
	return proto.Marshal(doc)
}

// tree reads JSON into what a parser of YAML makes of it.
func tree(document []byte) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	return node(d)
}

func node(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	switch t := token.(type) {
	case json.Delim:
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		if t == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for d.More() {
			inner, err := node(d)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, inner)
		}
		_, err = d.Token() // the closing bracket
	case string:
		n.Tag, n.Value, n.Style = "!!str", t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", t.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", "false"
		if t {
			n.Value = "true"
		}
	}
	return n, err
}
