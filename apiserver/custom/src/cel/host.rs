//! Functions that are not of the language: which of the host's a call means, and what it gives.

use super::lower::{Lowered, Lowering, no_overload};
use super::types::Type;
use super::{CompileError, Method, library};

impl<'a> Lowering<'_, 'a> {
    /// What a function of the host gives; `None` where the host has none of this name, or the library may mean it.
    pub(super) fn method(
        &self,
        name: &str,
        target: Option<&Lowered<'a>>,
        arguments: &[Lowered<'a>],
    ) -> Result<Option<Type<'a>>, CompileError> {
        let named = || self.environment.methods.iter().filter(|own| *own.name == *name);
        let (Some(target), Some(first)) = (target, named().next()) else {
            return Ok(None);
        };
        let fits = |own: &&Method<'a>| {
            let is_text = |kind: &Type<'_>| matches!(kind, Type::String(_) | Type::Dyn);
            let is_own = match target.kind {
                Type::Named(kind) => kind == own.of,
                _ => matches!(target.kind, Type::Dyn),
            };
            is_own && own.arguments == arguments.len() && arguments.iter().all(|own| is_text(&own.kind))
        };
        match named().find(fits) {
            Some(_) if matches!(target.kind, Type::Dyn) => Ok(Some(
                // Which of them it is shows when it runs.
                if named().count() == 1 {
                    first.result.clone()
                } else {
                    Type::Dyn
                },
            )),
            Some(own) => Ok(Some(own.result.clone())),
            None if library::result(name).is_some() => Ok(None),
            None => {
                let sides: Vec<&Lowered<'_>> = std::iter::once(target).chain(arguments).collect();
                Err(no_overload(name, &sides))
            }
        }
    }
}
