package apiserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"coracle/apiserver/wire"
)

// The packages that apply patches take time by the square of some lists' lengths: a body of 3 MiB would keep them at work for many
// minutes. Upstream has no such bounds; what people send is far below them.
const (
	// maxMoved is how many items operations may move: each that inserts or removes one in the middle copies the whole list.
	maxMoved = 100_000_000
	// maxCompared is how many pairs of items may be compared to merge lists: each of the patch with all others, and with those that
	// are there.
	maxCompared = 20_000_000
	// maxDepths bounds how deep the bytes of a merge patch lie, taken together: each is read again at every level above it.
	maxDepths = 30_000_000
)

// checkDepths refuses a merge patch that has too much too deep.
func checkDepths(patch []byte) error {
	if depths := wire.Depths(patch); depths > maxDepths {
		return apierrors.NewRequestEntityTooLargeError("too much of the patch is nested too deep to be merged; apply it, or replace the object")
	}
	return nil
}

// checkMoves refuses operations that move too much.
func checkMoves(p jsonpatch.Patch, before []byte) error {
	moves, longest := 0, wire.LongestList(before)
	for _, op := range p {
		if value := op["value"]; value != nil {
			longest = max(longest, wire.LongestList(*value))
		}
		switch op.Kind() {
		case "add", "copy", "remove":
			moves += movesBy(op.Path())
		case "move":
			moves += movesBy(op.Path()) + movesBy(op.From())
		}
	}
	if moves*(longest+len(p)) > maxMoved {
		return apierrors.NewRequestEntityTooLargeError(fmt.Sprintf(
			"%d operations insert or remove items, and a list has %d: that is too much to be done one by one; replace the list", moves, longest))
	}
	return nil
}

// movesBy tells whether a pointer leads to a place in a list.
func movesBy(pointer string, err error) int {
	if _, failed := strconv.Atoi(pointer[strings.LastIndexByte(pointer, '/')+1:]); err != nil || failed != nil {
		return 0
	}
	return 1
}

// checkMerges refuses a strategic merge patch whose lists are too long to be merged.
func checkMerges(before []byte, wanted map[string]any, meta strategicpatch.LookupPatchMeta) error {
	if pairs := comparisons(wanted, meta, wire.LongestList(before)); pairs > maxCompared {
		return apierrors.NewRequestEntityTooLargeError("the lists of the patch are too long to be merged with those that are there; replace the object")
	}
	return nil
}

// comparisons counts pairs of items; there is how long the longest list is that they are merged with.
func comparisons(wanted map[string]any, meta strategicpatch.LookupPatchMeta, there int) (pairs int) {
	for key, value := range wanted {
		switch value := value.(type) {
		case map[string]any:
			if below, _, err := meta.LookupPatchMetadataForStruct(key); err == nil {
				pairs += comparisons(value, below, there)
			}
		case []any:
			_, of, directive := strings.Cut(key, "/")
			if !directive {
				of = key
			}
			below, how, err := meta.LookupPatchMetadataForSlice(of)
			if directive || strings.HasPrefix(key, "$") || err == nil && slices.Contains(how.GetPatchStrategies(), "merge") {
				pairs += len(value) * (len(value) + there)
			}
			for _, item := range value {
				if m, ok := item.(map[string]any); ok && err == nil {
					pairs += comparisons(m, below, there)
				}
			}
		}
	}
	return pairs
}

// errCrowded refuses to apply where the owners of fields cannot be told apart in time.
func errCrowded() error {
	return apierrors.NewRequestEntityTooLargeError("too much is in one place for its fields' owners to be told apart: replace the object, by an update")
}
