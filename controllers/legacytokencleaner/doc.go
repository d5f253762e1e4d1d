// Package legacytokencleaner takes tokens that nobody uses out of use, and later deletes them (KEP-2799). It looks at
// tokens alone that a controller made for an account, in the times when each account had one: their Secret is named by the
// account. What people made themselves is left alone.
//
// A Secret goes in two steps, each after the clean-up period: not used so long and mounted by no pod, it gets the label
// kubernetes.io/legacy-token-invalid-since, with which the API server refuses the token, and whoever did use it can take
// the label off; not used for as long again, it is deleted.
//
// Nouns: Cleaner. Start reading at Cleaner.clean.
//
// Identity: ServiceAccount kube-system/legacy-service-account-token-cleaner. RBAC: ClusterRole
// system:controller:legacy-service-account-token-cleaner. The informers need list and watch on secrets and serviceaccounts; the
// client that lists pods, list on pods.
//
// Upstream: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go.
//
// # Simplifications
//
//   - Pods are listed when there is a Secret to judge, once a day, instead of watched all the time.
package legacytokencleaner
