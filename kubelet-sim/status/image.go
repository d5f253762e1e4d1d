package status

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Image is how a container runtime reports an image: with registry and tag, and by digest. The digest is made
// from the name, so that the same name is the same image on every node.
func Image(image string) (name, id string) {
	repository, digest, pinned := strings.Cut(image, "@")
	base, tag := repository, ""
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		base, tag = repository[:i], repository[i:]
	}
	first, _, nested := strings.Cut(base, "/")
	switch {
	case !nested:
		base = "docker.io/library/" + base
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		base = "docker.io/" + base
	}
	if pinned {
		return base + tag + "@" + digest, base + "@" + digest
	}
	if tag == "" {
		tag = ":latest"
	}
	sum := sha256.Sum256([]byte(base + tag))
	return base + tag, base + "@sha256:" + hex.EncodeToString(sum[:])
}
