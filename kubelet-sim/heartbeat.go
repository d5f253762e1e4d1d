package kubeletsim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	statusEvery   = 10 * time.Second // nodeStatusUpdateFrequency: look
	statusAnyway  = 5 * time.Minute  // nodeStatusReportFrequency: tell, even if nothing changed
	leaseEvery    = 10 * time.Second
	leaseDuration = 40 // seconds
)

// register creates the Node, or takes up the one that is there. It keeps trying until ctx ends.
func (n *node) register(ctx context.Context) (*corev1.Node, error) {
	pause := 10 * time.Millisecond
	for {
		registered, err := n.tryRegister(ctx)
		if err == nil {
			return registered, nil
		}
		if ctx.Err() == nil {
			n.log.Warn("cannot register the node", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
			pause = min(2*pause, 7*time.Second)
		}
	}
}

func (n *node) tryRegister(ctx context.Context) (*corev1.Node, error) {
	api := n.client.CoreV1().Nodes()
	wanted := n.config.object(n.now())
	created, err := api.Create(ctx, wanted, metav1.CreateOptions{})
	if err == nil {
		return created, nil
	}
	if !apierrors.IsAlreadyExists(err) && !apierrors.IsForbidden(err) {
		return nil, err
	}
	existing, getErr := api.Get(ctx, n.config.NodeName, metav1.GetOptions{})
	if getErr != nil {
		return nil, err
	}
	updated := existing.DeepCopy()
	if updated.Labels == nil {
		updated.Labels = map[string]string{}
	}
	for key, value := range wanted.Labels {
		updated.Labels[key] = value
	}
	// Upstream sends labels with a patch of the status as well; the server allows a node that.
	return n.patch(ctx, existing, updated)
}

// heartbeat keeps the Node's status up to date until ctx ends.
func (n *node) heartbeat(ctx context.Context, reported time.Time) {
	for {
		at, err := n.report(ctx, reported)
		if err == nil {
			reported = at
		} else if ctx.Err() == nil {
			n.log.Warn("cannot update the node's status", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(statusEvery):
		}
	}
}

// report tells the server the node's status if it changed, or was not told for long, and returns when it was last told.
func (n *node) report(ctx context.Context, reported time.Time) (time.Time, error) {
	existing, err := n.client.CoreV1().Nodes().Get(ctx, n.config.NodeName, metav1.GetOptions{})
	if err != nil {
		return reported, err
	}
	now := n.now()
	updated := existing.DeepCopy()
	updated.Status = n.config.status(existing.Status, now)
	if now.Sub(reported) < statusAnyway && sameButHeartbeats(existing.Status, updated.Status) {
		return reported, nil
	}
	_, err = n.patch(ctx, existing, updated)
	return now, err
}

func sameButHeartbeats(a, b corev1.NodeStatus) bool {
	a, b = *a.DeepCopy(), *b.DeepCopy()
	for _, status := range []*corev1.NodeStatus{&a, &b} {
		for i := range status.Conditions {
			status.Conditions[i].LastHeartbeatTime = metav1.Time{}
		}
	}
	return apiequality.Semantic.DeepEqual(a, b)
}

func (n *node) patch(ctx context.Context, old, updated *corev1.Node) (*corev1.Node, error) {
	before, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(updated)
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Node{})
	if err != nil {
		return nil, fmt.Errorf("patch of node %s: %w", old.Name, err)
	}
	return n.client.CoreV1().Nodes().Patch(ctx, old.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
}

// renewLease keeps the node's Lease until ctx ends: the sign of life that costs least.
func (n *node) renewLease(ctx context.Context, owner *corev1.Node) {
	var lease *coordinationv1.Lease
	pause := 100 * time.Millisecond
	for {
		next, err := n.renew(ctx, lease, owner)
		wakeup := wait.Jitter(leaseEvery, 0.04)
		if err == nil {
			lease, pause = next, 100*time.Millisecond
		} else {
			if ctx.Err() == nil {
				n.log.Warn("cannot renew the node's lease", "err", err)
			}
			lease = nil // look again
			pause = min(2*pause, 7*time.Second)
			wakeup = pause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wakeup):
		}
	}
}

// renew updates lease, or the one that the server has, or creates it.
func (n *node) renew(ctx context.Context, lease *coordinationv1.Lease, owner *corev1.Node) (*coordinationv1.Lease, error) {
	api := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	missing := false
	if lease == nil {
		existing, err := api.Get(ctx, n.config.NodeName, metav1.GetOptions{})
		if missing = apierrors.IsNotFound(err); missing {
			existing = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: n.config.NodeName, Namespace: corev1.NamespaceNodeLease}}
		} else if err != nil {
			return nil, err
		}
		lease = existing
	}
	lease = lease.DeepCopy()
	lease.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: owner.Name, UID: owner.UID}}
	lease.Spec.HolderIdentity = new(n.config.NodeName)
	lease.Spec.LeaseDurationSeconds = new(int32(leaseDuration))
	lease.Spec.RenewTime = &metav1.MicroTime{Time: n.now()}
	if missing {
		return api.Create(ctx, lease, metav1.CreateOptions{})
	}
	return api.Update(ctx, lease, metav1.UpdateOptions{})
}
