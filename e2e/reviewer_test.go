package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// cmdReviewer starts a service that answers TokenReviews from people.json, which holds a status per token and is read
// each time; without the file the service is out of order. reviewer.conf is what the server needs to find it.
func cmdReviewer(ts *testscript.TestScript, neg bool, args []string) {
	people := ts.MkAbs("people.json")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Spec       struct {
				Token string `json:"token"`
			} `json:"spec"`
			Status json.RawMessage `json:"status"`
		}
		data, err := os.ReadFile(people)
		known := map[string]json.RawMessage{}
		if err != nil || json.Unmarshal(data, &known) != nil || json.NewDecoder(r.Body).Decode(&review) != nil {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		if review.Status = known[review.Spec.Token]; review.Status == nil {
			review.Status = json.RawMessage(`{"authenticated":false}`)
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(review)
	}))
	ts.Defer(service.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["reviewer"] = &clientcmdapi.Cluster{Server: service.URL}
	config.AuthInfos["coracle"] = &clientcmdapi.AuthInfo{}
	config.Contexts["reviewer"] = &clientcmdapi.Context{Cluster: "reviewer", AuthInfo: "coracle"}
	config.CurrentContext = "reviewer"
	ts.Check(clientcmd.WriteToFile(*config, ts.MkAbs("reviewer.conf")))
}
