//! Compiles the `.proto` files with protox, in pure Rust: no `protoc` is needed.
#![allow(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts everything through the environment"
)]

use std::{env, path::PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;
use protox::{
    Compiler,
    file::{ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver},
};

const FILES: [&str; 6] = [
    "coracle/v1/bootstrap.proto",
    "coracle/v1/maintenance.proto",
    "coracle/v1/node.proto",
    "coracle/v1/object.proto",
    "coracle/v1/storage.proto",
    "coracle/v1/summary.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=coracle");
    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(PathBuf::from(".")));
    // google.rpc comes compiled from the crate that also holds its Rust types, under names without a folder.
    let mut google_rpc = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    for file in &mut google_rpc.file {
        if !file.name().contains('/') {
            file.name = Some(format!("google/rpc/{}", file.name()));
        }
    }
    resolver.add(DescriptorSetFileResolver::new(google_rpc));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for file in FILES {
        compiler.open_file(file)?;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".google.rpc", "::tonic_types")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
