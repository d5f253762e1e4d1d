package cluster

import "coracle/apiserver"

// versionInfo is what /version answers: the API level that is simulated, and our own version behind it.
func versionInfo(own string) apiserver.Version {
	return apiserver.Version{
		Major: "1", Minor: "37", EmulationMajor: "1", EmulationMinor: "37", MinCompatibilityMajor: "1", MinCompatibilityMinor: "36",
		GitVersion: apiVersion + "+coracle." + own, GitTreeState: "clean",
	}
}
