package authn

import (
	"fmt"
	"slices"
	"strings"
)

// Switch is a strategy of a chain, and whether it is asked.
type Switch struct {
	Name string
	On   bool
}

// List names the chain's strategies in the order in which they are asked.
func (c *Chain) List() []Switch {
	steps := *c.steps.Load()
	list := make([]Switch, len(steps))
	for i, s := range steps {
		list[i] = Switch{Name: s.Name(), On: !s.off}
	}
	return list
}

// Switch turns the strategy of that name on or off, for all requests that come from now on.
func (c *Chain) Switch(name string, on bool) error {
	return c.change(name, func(s *step) { s.off = !on })
}

// Replace puts another authenticator in the place of the one of the same name, as after a change of its configuration. No
// request is in between without either.
func (c *Chain) Replace(a Authenticator) error {
	return c.change(a.Name(), func(s *step) { s.Authenticator = a })
}

func (c *Chain) change(name string, do func(*step)) error {
	for {
		old := c.steps.Load()
		steps := slices.Clone(*old)
		i := slices.IndexFunc(steps, func(s step) bool { return s.Name() == name })
		if i < 0 {
			var names []string
			for _, s := range steps {
				names = append(names, s.Name())
			}
			return fmt.Errorf("there is no authenticator %q; there are %s", name, strings.Join(names, ", "))
		}
		do(&steps[i])
		if c.steps.CompareAndSwap(old, &steps) {
			return nil
		}
	}
}
