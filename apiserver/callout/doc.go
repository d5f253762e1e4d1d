// Package callout asks webhooks: HTTPS servers that an object in the cluster names, by URL or as a Service.
//
// It knows how they are reached, and what they are not allowed to do to whoever asks: answer without end, not at all, or
// with a redirection. What is asked and answered is its callers' matter: conversion of custom resources, and admission.
//
// Errors are worded as client-go words them, which is what kube-apiserver asks with.
//
// Simplifications: a redirection is not followed (k8s.io/apiserver follows it, which is CVE-2020-8561), an answer of more
// than 8 MiB is refused, and proxies named in the environment are not used. HTTP/2 is not spoken.
//
// Start reading at Client.
package callout
