package manifests

import (
	_ "embed"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// flowControlJSON are the objects that kube-apiserver makes.
// Source: k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap, which as Go values is larger.
//
//go:embed flowcontrol.json
var flowControlJSON []byte

// Object is one object of any kind.
type Object struct {
	metav1.PartialObjectMetadata
	JSON json.RawMessage // the whole
}

// FlowControl returns the PriorityLevelConfigurations and FlowSchemas of every cluster.
func FlowControl() (levels, schemas []Object, err error) {
	var all struct{ PriorityLevelConfigurations, FlowSchemas []json.RawMessage }
	if err := json.Unmarshal(flowControlJSON, &all); err != nil {
		return nil, nil, fmt.Errorf("read the default flow control: %w", err)
	}
	if levels, err = objectsOf(all.PriorityLevelConfigurations); err != nil {
		return nil, nil, err
	}
	schemas, err = objectsOf(all.FlowSchemas)
	return levels, schemas, err
}

func objectsOf(raw []json.RawMessage) ([]Object, error) {
	objects := make([]Object, len(raw))
	for i, b := range raw {
		objects[i].JSON = b
		if err := json.Unmarshal(b, &objects[i].PartialObjectMetadata); err != nil {
			return nil, fmt.Errorf("read the default flow control: %w", err)
		}
	}
	return objects, nil
}
