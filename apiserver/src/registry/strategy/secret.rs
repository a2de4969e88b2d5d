//! Secrets: sealed in the store; `stringData` is a way of writing `data` and is never kept.

use coracle_api::{Resource, kinds};
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{Field, Strategy, text};

pub(super) struct SecretStrategy;

impl Strategy for SecretStrategy {
    type Kind = Secret;

    fn resource(&self) -> &'static Resource {
        kinds::SECRET
    }

    fn prepare_create(&self, object: &mut Secret) {
        encode_string_data(object);
    }

    fn prepare_update(&self, new: &mut Secret, _old: &Secret) {
        encode_string_data(new);
    }

    fn fields(&self, object: &Secret) -> Vec<Field> {
        vec![("type", text(object.type_.as_ref()))]
    }

    fn is_secret(&self) -> bool {
        true
    }
}

fn encode_string_data(object: &mut Secret) {
    let Some(strings) = object.string_data.take() else {
        return;
    };
    let data = object.data.get_or_insert_default();
    data.extend(
        strings
            .into_iter()
            .map(|(key, value)| (key, ByteString(value.into_bytes()))),
    );
}
