//! From a client's JSON to a typed object, and what becomes of fields that the schema does not know.

use coracle_api::{
    ApiError, FieldError, Object, Path, Resource,
    object::{Decoded, Duplicates},
};

use coracle_fields::Managers;

use super::{Context, FieldValidation, convert, custom, plan::View, strategy};

/// A body that became an object of the stored version.
pub(super) struct Body {
    pub object: Box<dyn Object>,
    /// What the client is told about it.
    pub warnings: Vec<String>,
    /// How the client wants to see the object.
    pub view: View,
    /// Who owns which of its fields, where it comes from an applied configuration and that is settled already.
    pub applied: Option<Managers>,
}

/// Reads a body that a client sent, and judges the fields that the schema does not know.
pub(super) fn decode(ctx: &Context, resource: &'static Resource, json: &[u8]) -> Result<Body, ApiError> {
    let duplicates = match ctx.options.field_validation {
        FieldValidation::Ignore => Duplicates::Ignore,
        FieldValidation::Warn | FieldValidation::Strict => Duplicates::Find,
    };
    let decoded = strategy::of(resource).decode(resource, json, duplicates);
    let decoded = decoded.map_err(|error| error.into_api_error(resource))?;
    let Resource {
        kind, api_version, ..
    } = resource;
    if let (FieldValidation::Strict, Some(error)) = (ctx.options.field_validation, decoded.strict_error()) {
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {kind}: {error}",
            api_version
                .rsplit_once('/')
                .map_or(*api_version, |(_, version)| version),
        )));
    }
    body(ctx, resource, decoded)
}

/// Reads an object as `patch` left it. What is strange about its fields is the patch's fault.
pub(super) fn decode_patched(
    ctx: &Context,
    resource: &'static Resource,
    json: &[u8],
    patch: &[u8],
) -> Result<Body, ApiError> {
    let decoded = strategy::of(resource).decode(resource, json, Duplicates::Ignore);
    let mut decoded = decoded.map_err(|error| error.into_api_error(resource))?;
    if ctx.options.field_validation != FieldValidation::Ignore {
        decoded.duplicate_fields = coracle_api::scan::duplicate_fields(patch);
    }
    if let (FieldValidation::Strict, Some(error)) = (ctx.options.field_validation, decoded.strict_error()) {
        let shown = String::from_utf8_lossy(patch);
        let error = FieldError::invalid(&Path::new("patch"), &*shown, error);
        return Err(ApiError::invalid(resource, "", vec![error]));
    }
    body(ctx, resource, decoded)
}

fn body(ctx: &Context, resource: &'static Resource, decoded: Decoded) -> Result<Body, ApiError> {
    let mut warnings = match ctx.options.field_validation {
        FieldValidation::Warn => decoded.warnings(),
        FieldValidation::Ignore | FieldValidation::Strict => Vec::new(),
    };
    warnings.extend(custom::deprecation(resource));
    let object = match resource.stored_as {
        Some(stored) if convert::is_needed(resource) => {
            convert::body(ctx, resource, &*decoded.object, stored.resource)?
        }
        Some(stored) => (stored.convert)(decoded.object, stored.resource),
        None => decoded.object,
    };
    Ok(Body {
        object,
        warnings,
        view: View::of(resource),
        applied: None,
    })
}
