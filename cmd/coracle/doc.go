// Command coracle is a miniature Kubernetes control plane.
//
// It is thin: each command reads its settings, calls the package that does the work, and prints. One file per command;
// settings.go brings flags, environment and YAML file together (viper is used nowhere else), terminal.go is how the
// server's log reads on a terminal.
//
// Start reading at up.go.
package main
