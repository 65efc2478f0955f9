// The status that Flux, kpt and Helm 4 see of objects: a JSON array of objects on standard input, an array of words out.
package main

import (
	"encoding/json"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatal(err)
	}
	words := make([]string, len(objects))
	for i, object := range objects {
		computed, err := status.Compute(&unstructured.Unstructured{Object: object})
		if err != nil {
			log.Fatal(err)
		}
		words[i] = computed.Status.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(words); err != nil {
		log.Fatal(err)
	}
}
