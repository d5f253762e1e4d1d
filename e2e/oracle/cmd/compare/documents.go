package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
)

// writeDocuments writes a line for each OpenAPI document of a server that has just started: its name, and a hash of what it says, however
// its fields are ordered. apiserver/openapi/testdata/documents.txt is the real kube-apiserver's, to which a test holds ours.
func (s *server) writeDocuments(ctx context.Context, file string) error {
	index, err := s.fetch(ctx, "/openapi/v3")
	if err != nil {
		return err
	}
	paths, _ := index["paths"].(map[string]any)
	var out bytes.Buffer
	for _, name := range append(slices.Sorted(maps.Keys(paths)), "v2") {
		path := "/openapi/v3/" + name
		if name == "v2" {
			path = "/openapi/v2"
		}
		document, err := s.fetch(ctx, path)
		if err != nil {
			return err
		}
		b, err := json.Marshal(document)
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%x %s\n", sha256.Sum256(b), name)
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

func (s *server) fetch(ctx context.Context, path string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(b, &document); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, resp.Status, err)
	}
	return document, nil
}
