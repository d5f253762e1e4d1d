// Package eks says whose the tokens are with which people log in to Amazon EKS, as aws-iam-authenticator does on its API servers.
//
// Such a token is no JWT: it is a question to STS, signed by whoever wants in and not yet asked, `k8s-aws-v1.` and a URL in base64. So a
// request takes two hops: the API server asks this webhook, and the webhook asks STS, who signed. The answer is the ARN of
// a user or a role, and the ConfigMap kube-system/aws-auth says who that is in the cluster.
//
// What makes it safe to ask a question that a stranger wrote: it goes to our STS alone, it can be that one question alone, and the cluster's
// name, which is signed too, is added here, so that a token for another cluster is worth nothing.
//
// Nouns: question (what a token holds), Identity (what STS says), Mapping (what aws-auth says). Start reading at Authenticator.Review.
//
// Simplifications: aws-auth is read for each review, where the original watches it. The reason of a refusal goes to the API server,
// where the original only logs it. Instances have the private DNS names that follow from their ids, since there is no EC2
// to ask. Parameters have the names that AWS' code gives them, capitals included. There are no role mappings for SSO, and
// no other sources of mappings.
package eks
