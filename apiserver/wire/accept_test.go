package wire

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNegotiate(t *testing.T) {
	all := Offer{Table: true, Partial: true}
	for name, c := range map[string]struct {
		accept, agent, query string
		offer                Offer
		want                 Format
		err                  string
	}{
		"nothing asked for":                         {offer: all, want: Format{Media: JSON}},
		"anything":                                  {accept: "*/*", offer: all, want: Format{Media: JSON}},
		"kubectl's table, with JSON behind it":      {accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", offer: all, want: Format{Media: JSON, As: "Table", Meta: "v1"}},
		"a table where there is none":               {accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", want: Format{Media: JSON}},
		"metadata only":                             {accept: "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", offer: all, want: Format{Media: Protobuf, As: "PartialObjectMetadataList", Meta: "v1"}},
		"protobuf before JSON":                      {accept: "application/vnd.kubernetes.protobuf,application/json", offer: all, want: Format{Media: Protobuf}},
		"protobuf that there is not, with JSON":     {accept: "application/vnd.kubernetes.protobuf,application/json", offer: Offer{JSONOnly: true}, want: Format{Media: JSON}},
		"CBOR, with JSON behind it":                 {accept: "application/cbor,application/json", offer: all, want: Format{Media: JSON}},
		"curl reads with eyes":                      {agent: "curl/8.0", offer: all, want: Format{Media: JSON, Pretty: true}},
		"curl that wants it compact":                {agent: "curl/8.0", query: "?pretty=false", offer: all, want: Format{Media: JSON}},
		"CBOR alone is refused":                     {accept: "application/cbor", offer: all, err: "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf"},
		"any application type is no route":          {accept: "application/*", offer: Offer{Watch: true}, err: "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"},
		"anything at all is":                        {accept: "text/html,*/*;q=0.1", offer: all, want: Format{Media: JSON}},
		"HTML of a custom resource":                 {accept: "text/html", offer: Offer{JSONOnly: true, Direct: true}, err: "only the following media types are accepted: application/json, application/yaml"},
		"a table as protobuf is refused":            {accept: "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1", offer: all, err: "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"},
		"a table of another group's is not a table": {accept: "application/json;as=Table;v=v1;g=example.com", offer: all, err: "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/"+c.query, nil)
			r.Header.Set("User-Agent", c.agent)
			if c.accept != "" {
				r.Header.Set("Accept", c.accept)
			}
			got, err := Negotiate(r, c.offer)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("the error is %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
