package structure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestCompose reads docker-compose.yml and what it mounts: a container engine is not at hand wherever tests run, and a
// file that has moved would be noticed by the first user instead.
func TestCompose(t *testing.T) {
	root := filepath.Join("..", "..")
	var compose struct {
		Services map[string]struct {
			Build   string   `json:"build"`
			Image   string   `json:"image"`
			Volumes []string `json:"volumes"`
		} `json:"services"`
		Volumes map[string]any `json:"volumes"`
	}
	text := mustRead(t, filepath.Join(root, "docker-compose.yml"))
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	if compose.Services["coracle"].Build != "." || compose.Services["prometheus"].Image == "" {
		t.Errorf("docker-compose.yml has the services %v, want coracle built here, and Prometheus", compose.Services)
	}
	for name, service := range compose.Services {
		for _, mount := range service.Volumes {
			source, _, _ := strings.Cut(mount, ":")
			if _, named := compose.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				t.Errorf("%s mounts %s: %v", name, source, err)
			}
		}
	}
	var config struct {
		Jobs []struct {
			Targets []struct{ Targets []string } `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal(mustRead(t, filepath.Join(root, "manifests", "compose", "prometheus.yml")), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Jobs) != 1 || len(config.Jobs[0].Targets) != 1 || config.Jobs[0].Targets[0].Targets[0] != "coracle:6443" {
		t.Errorf("Prometheus scrapes %v, want the service coracle at the port of the API", config.Jobs)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
