// Package volume puts a pod's volumes on disk and shows them in its containers' root directories.
package volume
