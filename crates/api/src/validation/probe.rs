//! Probes and lifecycle hooks.

use k8s_openapi::api::core::v1::{
    ExecAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::check::{Errors, exactly_one, not_negative, one_of, text};
use crate::field_error::{FieldError, Path};
use crate::names;

const NO_HANDLER: &str = "must specify a handler type";
const SEVERAL_HANDLERS: &str = "may not specify more than 1 handler type";

/// What a probe is for; the rules differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Liveness,
    Readiness,
    Startup,
}

/// One probe.
pub(super) fn probe(errors: &mut Errors, own: &Probe, purpose: Purpose, path: &Path) {
    let handlers = [
        ("exec", own.exec.is_some()),
        ("httpGet", own.http_get.is_some()),
        ("tcpSocket", own.tcp_socket.is_some()),
        ("grpc", own.grpc.is_some()),
    ];
    exactly_one(errors, path, &handlers, NO_HANDLER, SEVERAL_HANDLERS);
    actions(
        errors,
        own.exec.as_ref(),
        own.http_get.as_ref(),
        own.tcp_socket.as_ref(),
        path,
    );
    if let Some(grpc) = &own.grpc {
        let path = path.child("grpc").child("port");
        let message = names::port_number(grpc.port);
        errors.extend(message.map(|message| FieldError::invalid(&path, grpc.port, message)));
    }
    not_negative(errors, path, "initialDelaySeconds", own.initial_delay_seconds);
    not_negative(errors, path, "timeoutSeconds", own.timeout_seconds);
    not_negative(errors, path, "periodSeconds", own.period_seconds);
    not_negative(errors, path, "successThreshold", own.success_threshold);
    not_negative(errors, path, "failureThreshold", own.failure_threshold);
    let successes = own.success_threshold.unwrap_or(1);
    if purpose != Purpose::Readiness && successes != 1 {
        errors.push(FieldError::invalid(
            &path.child("successThreshold"),
            successes,
            "must be 1",
        ));
    }
    if let Some(seconds) = own.termination_grace_period_seconds {
        let path = path.child("terminationGracePeriodSeconds");
        if purpose == Purpose::Readiness {
            errors.push(FieldError::invalid(
                &path,
                seconds,
                "must not be set for readinessProbes",
            ));
        } else if seconds <= 0 {
            errors.push(FieldError::invalid(&path, seconds, "must be greater than 0"));
        }
    }
}

/// The hooks of a container.
pub(super) fn lifecycle(errors: &mut Errors, own: &Lifecycle, path: &Path) {
    for (name, hook) in [("postStart", &own.post_start), ("preStop", &own.pre_stop)] {
        let Some(LifecycleHandler {
            exec,
            http_get,
            tcp_socket,
            sleep,
        }) = hook
        else {
            continue;
        };
        let path = path.child(name);
        let handlers = [
            ("exec", exec.is_some()),
            ("httpGet", http_get.is_some()),
            ("tcpSocket", tcp_socket.is_some()),
            ("sleep", sleep.is_some()),
        ];
        exactly_one(errors, &path, &handlers, NO_HANDLER, SEVERAL_HANDLERS);
        actions(
            errors,
            exec.as_ref(),
            http_get.as_ref(),
            tcp_socket.as_ref(),
            &path,
        );
    }
}

fn actions(
    errors: &mut Errors,
    exec: Option<&ExecAction>,
    http_get: Option<&HTTPGetAction>,
    tcp_socket: Option<&TCPSocketAction>,
    path: &Path,
) {
    if exec.is_some_and(|exec| exec.command.as_ref().is_none_or(Vec::is_empty)) {
        errors.push(FieldError::required(&path.child("exec").child("command"), ""));
    }
    if let Some(action) = http_get {
        let path = path.child("httpGet");
        if text(&action.path).is_empty() {
            errors.push(FieldError::required(&path.child("path"), ""));
        }
        port(errors, &action.port, &path);
        one_of(errors, &path, "scheme", &action.scheme, &["HTTP", "HTTPS"]);
    }
    if let Some(action) = tcp_socket {
        port(errors, &action.port, &path.child("tcpSocket"));
    }
}

/// A port by number or by name.
pub(super) fn port(errors: &mut Errors, own: &IntOrString, path: &Path) {
    let path = path.child("port");
    match own {
        IntOrString::Int(number) => {
            let message = names::port_number(*number);
            errors.extend(message.map(|message| FieldError::invalid(&path, *number, message)));
        }
        IntOrString::String(name) => {
            let messages = names::port_name(name).into_iter();
            errors.extend(messages.map(|message| FieldError::invalid(&path, name, message)));
        }
    }
}
