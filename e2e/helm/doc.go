// Package helm installs, upgrades, rolls back and uninstalls a chart with the real Helm, of both majors in use, against Coracle. Run it by
// `make clients`.
package helm
