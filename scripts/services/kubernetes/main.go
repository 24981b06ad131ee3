// A control plane in one process: etcd, kube-apiserver and the Job controller, for the tests of `embatch submit kubernetes`.
//
//	controlplane DATA KUBECONFIG APISERVER-FLAG…
//
// DATA is etcd's folder; KUBECONFIG is what the controller connects with. etcd takes free ports of 127.0.0.1.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/pkg/controller/job"
)

const (
	pollInterval = 100 * time.Millisecond
	resyncPeriod = 10 * time.Minute
	workers      = 5
)

func main() {
	data, kubeconfig, flags := os.Args[1], os.Args[2], os.Args[3:]
	etcd := startEtcd(data)
	go runJobController(kubeconfig)
	apiserver := app.NewAPIServerCommand()
	apiserver.SetArgs(append([]string{"--etcd-servers=http://" + etcd}, flags...))
	os.Exit(cli.Run(apiserver))
}

// The address for its clients. What it stores lasts as long as a test run: nothing is forced to disk.
func startEtcd(data string) string {
	config := embed.NewConfig()
	config.Dir = data
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	freePort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = freePort, freePort
	config.ListenPeerUrls, config.AdvertisePeerUrls = freePort, freePort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	check(err)
	<-server.Server.ReadyNotify()
	return server.Clients[0].Addr().String()
}

func runJobController(kubeconfig string) {
	client := connect(kubeconfig)
	ctx := context.Background()
	objects := informers.NewSharedInformerFactory(client, resyncPeriod)
	controller, err := job.NewController(ctx, objects.Core().V1().Pods(), objects.Batch().V1().Jobs(), client)
	check(err)
	objects.Start(ctx.Done())
	controller.Run(ctx, workers)
}

// Waits for the apiserver, which also writes the certificate that the kubeconfig names.
func connect(kubeconfig string) kubernetes.Interface {
	for {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err == nil {
			config.QPS, config.Burst = 200, 400
			client, err := kubernetes.NewForConfig(config)
			if err == nil && client.RESTClient().Get().AbsPath("/readyz").Do(context.Background()).Error() == nil {
				return client
			}
		}
		time.Sleep(pollInterval)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}
