// Package volume puts a pod's volumes on disk and shows them in its containers' root directories.
//
// All of it happens below one directory, the node's, through os.Root: names, paths and symbolic links that
// come from a pod, or from whoever wrote into a pod's volumes, cannot lead anywhere else.
//
// # Nouns
//
//   - Files: what a volume is to contain, by relative path (payload.go).
//   - Write: makes a directory contain exactly these files, atomically (atomic.go).
//   - Setup: does so for each volume of a pod (setup.go).
//   - Mount: one place in a container's root directory where a volume shows (mount.go, rootfs.go).
//
// It knows no API client: Sources gives it objects and tokens. Start reading at Setup.
//
// # Simplifications
//
//   - A mount is a symbolic link, not a mount: it follows the volume, subPath mounts of Secrets and
//     ConfigMaps included (upstream: pkg/volume/util/subpath), and readOnly is only told to the Runtime.
//   - A volume cannot be mounted over a non-empty directory of another volume.
//   - Files belong to whoever runs the program; fsGroup shows in their modes only.
//   - Simulated are secret, configMap, projected (serviceAccountToken, secret, configMap, downwardAPI,
//     clusterTrustBundle, podCertificate), downwardAPI, emptyDir and hostPath; sizes and media of emptyDir are not enforced.
package volume
