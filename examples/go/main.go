// Drives the cluster from Go over gRPC: applies a manifest, waits for its pods through the typed summaries, changes an
// object and deletes it.
//
//	main CREDENTIALS SERVER MANIFEST SELECTOR COUNT
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	coracle "coracle/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

func main() {
	if err := drive(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func drive(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("usage: main CREDENTIALS SERVER MANIFEST SELECTOR COUNT")
	}
	count, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	connection, err := connect(args[0], args[1])
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	objects := coracle.NewObjectServiceClient(connection)
	applied, err := objects.ApplyManifest(ctx, &coracle.ApplyManifestRequest{Manifest: string(manifest)})
	if err != nil {
		return err
	}
	for _, result := range applied.Results {
		fmt.Println(result.Outcome, result.GetObject().GetKind(), result.GetObject().GetName())
	}
	if err := waitForPods(ctx, coracle.NewSummaryServiceClient(connection), args[3], count); err != nil {
		return err
	}
	return createAndDelete(ctx, objects)
}

// connect dials with the three files that `coracle credentials --out DIR` writes.
func connect(dir, server string) (*grpc.ClientConn, error) {
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{Certificates: []tls.Certificate{identity}, RootCAs: roots}
	return grpc.Dial(server, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

// waitForPods reads no JSON: a watch from revision zero tells the present state first and then every change.
func waitForPods(ctx context.Context, pods coracle.SummaryServiceClient, selector string, count int) error {
	watch, err := pods.WatchPods(ctx, &coracle.WatchPodsRequest{LabelSelector: selector})
	if err != nil {
		return err
	}
	running := map[string]*coracle.Pod{}
	for len(running) < count {
		event, err := watch.Recv()
		if err != nil {
			return err
		}
		pod := event.Pod
		switch {
		case pod == nil:
		case event.Type == coracle.EventType_EVENT_TYPE_DELETED:
			delete(running, pod.Uid)
		case pod.Phase == coracle.PodPhase_POD_PHASE_RUNNING && pod.Deleting == nil:
			running[pod.Uid] = pod
		}
	}
	for _, pod := range running {
		fmt.Println("running:", pod.Name, pod.Ip, pod.NodeName)
	}
	return nil
}

func createAndDelete(ctx context.Context, objects coracle.ObjectServiceClient) error {
	body := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"from-go"},"data":{"a":"1"}}`)
	object := &coracle.Object{
		ApiVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "from-go",
		Body: &coracle.Object_Json{Json: body},
	}
	created, err := objects.Create(ctx, &coracle.CreateRequest{Object: object})
	if err != nil {
		return err
	}
	fmt.Println("created:", created.Object.Name)
	name := &coracle.DeleteRequest{ApiVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "from-go"}
	if _, err := objects.Delete(ctx, name); err != nil {
		return err
	}
	if _, err := objects.Delete(ctx, name); status.Code(err) != codes.NotFound {
		return fmt.Errorf("the second delete answered %v", err)
	}
	fmt.Println("deleted: from-go")
	return nil
}
