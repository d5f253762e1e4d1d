package kubeletsim

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// processes are those that run now, for people who want to look into a container.
type processes struct {
	mu   sync.Mutex
	held map[place]Process // guarded by mu
}

// place is a container of a pod.
type place struct {
	pod       types.UID
	container string
}

func newProcesses() *processes { return &processes{held: map[place]Process{}} }

func (p *processes) add(process Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[place{process.Pod.UID, process.Container.Name}] = process
}

// remove forgets one; not one that has taken its place since.
func (p *processes) remove(process Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := place{process.Pod.UID, process.Container.Name}
	if p.held[at].ID == process.ID {
		delete(p.held, at)
	}
}

func (p *processes) find(pod types.UID, container string) (Process, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	process, ok := p.held[place{pod, container}]
	return process, ok
}
