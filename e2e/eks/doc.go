// Package eks holds Coracle's EKS login against the real one: the real aws-iam-authenticator makes tokens for `coracle sts`, and verifies
// those of `coracle sts token`. Run it by `make eks`.
package eks
