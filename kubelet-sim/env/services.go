package env

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Services are the variables that tell a container of the services: NAME_SERVICE_HOST and the rest.
// Those without a cluster IP have none.
func Services(services []corev1.Service) Env {
	env := Env{}
	for _, service := range services {
		ip := service.Spec.ClusterIP
		if ip == "" || ip == corev1.ClusterIPNone || len(service.Spec.Ports) == 0 {
			continue
		}
		prefix := variable(service.Name)
		env[prefix+"_SERVICE_HOST"] = ip
		env[prefix+"_SERVICE_PORT"] = strconv.Itoa(int(service.Spec.Ports[0].Port))
		for i, port := range service.Spec.Ports {
			number := strconv.Itoa(int(port.Port))
			if port.Name != "" {
				env[prefix+"_SERVICE_PORT_"+variable(port.Name)] = number
			}
			protocol := port.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			lower := strings.ToLower(string(protocol))
			url := lower + "://" + net.JoinHostPort(ip, number)
			if i == 0 {
				env[prefix+"_PORT"] = url
			}
			link := fmt.Sprintf("%s_PORT_%s_%s", prefix, number, strings.ToUpper(string(protocol)))
			env[link] = url
			env[link+"_PROTO"] = lower
			env[link+"_PORT"] = number
			env[link+"_ADDR"] = ip
		}
	}
	return env
}

func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
