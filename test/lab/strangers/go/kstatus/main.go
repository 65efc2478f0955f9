// The status that Flux, kpt and Helm 4 see of objects: a JSON array of objects on standard input, an array of words out.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	// Whole numbers stay whole, as in an object that comes from an API server.
	var objects []any
	if err := utiljson.Unmarshal(text, &objects); err != nil {
		log.Fatal(err)
	}
	words := make([]string, len(objects))
	for i, object := range objects {
		computed, err := status.Compute(&unstructured.Unstructured{Object: object.(map[string]any)})
		if err != nil {
			log.Fatal(err)
		}
		words[i] = computed.Status.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(words); err != nil {
		log.Fatal(err)
	}
}
