package cluster

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestControllersAreChosenByName(t *testing.T) {
	for _, c := range []struct {
		name   string
		chosen []string
		want   string // of job and cronjob
	}{
		{name: "all unless told otherwise", want: "job cronjob"},
		{name: "all", chosen: []string{"*"}, want: "job cronjob"},
		{name: "none", chosen: []string{"-*"}},
		{name: "one alone", chosen: []string{"job"}, want: "job"},
		{name: "all but one", chosen: []string{"*", "-job"}, want: "cronjob"},
		{name: "all but one, in any order", chosen: []string{"-job", "*"}, want: "cronjob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{DataDir: t.TempDir(), Controllers: c.chosen}
			if err := config.Validate(); err != nil {
				t.Fatal(err)
			}
			var run []string
			for _, name := range []string{"job", "cronjob"} {
				if config.controls(name) {
					run = append(run, name)
				}
			}
			if got := strings.Join(run, " "); got != c.want {
				t.Errorf("%v runs %q, want %q", c.chosen, got, c.want)
			}
		})
	}
}

func TestAControllerThatIsNotThereIsRefused(t *testing.T) {
	config := Config{DataDir: t.TempDir(), Controllers: []string{"-jobs"}}
	if err := config.Validate(); err == nil || !strings.HasPrefix(err.Error(), `--controllers "jobs" is not known; choose * for all`) {
		t.Errorf("want a sentence about jobs, got %v", err)
	}
}

func TestEveryControllerHasItsName(t *testing.T) {
	source, err := os.ReadFile("parts.go")
	if err != nil {
		t.Fatal(err)
	}
	var started []string
	for _, m := range regexp.MustCompile(`c\.control\(ctx, "([^"]+)"`).FindAllSubmatch(source, -1) {
		started = append(started, string(m[1]))
	}
	slices.Sort(started)
	if diff := cmp.Diff(started, controllerNames()); diff != "" {
		t.Errorf("started -, named +:\n%s", diff)
	}
}
