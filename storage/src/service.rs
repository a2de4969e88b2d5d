//! The gRPC door: `coracle.v1.StorageService` in front of [`Exports`].
//!
//! Translates messages and errors, refuses callers without a certificate, and bounds what is under way; everything
//! else is the file layer's. Wire types stop here.

use std::sync::Arc;

use coracle_proto::v1::{
    self as wire, storage_service_server::SERVICE_NAME, storage_service_server::StorageService,
    storage_service_server::StorageServiceServer,
};
use coracle_service::{Env, Health, Peer, health::Check};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    Error, Exports,
    export::{CreateMode, Export, WriteStability},
    handles::{FileId, Handle},
    limits::{MAX_IO_BYTES, MAX_MESSAGE_BYTES, MAX_REQUESTS, MAX_WORKING},
    name::{ExportPath, Name},
    server::DISK_CHECK,
    stability::VERIFIER_BYTES,
    sys::{Kind, Stat},
};

const DEFAULT_FILE_PERMISSIONS: u32 = 0o644;
const DEFAULT_DIRECTORY_PERMISSIONS: u32 = 0o755;

/// The service; cheap to clone.
#[derive(Clone)]
pub struct Service {
    exports: Arc<Exports>,
    env: Env,
    health: Health,
    working: Arc<Semaphore>,
    under_way: Arc<Semaphore>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Service {
    /// Serves `exports`; tells `health` when the disk fails.
    #[must_use]
    pub fn new(exports: Arc<Exports>, env: Env, health: Health) -> Self {
        let (working, under_way) = (Semaphore::new(MAX_WORKING), Semaphore::new(MAX_REQUESTS));
        Self {
            exports,
            env,
            health,
            working: Arc::new(working),
            under_way: Arc::new(under_way),
        }
    }

    /// The service behind its path, with reflection (v1 and v1alpha) so that generic clients find their way.
    ///
    /// # Errors
    /// Reflection's, should the compiled contract not be one.
    pub fn routes(self) -> Result<Routes, tonic_reflection::server::Error> {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(coracle_proto::FILE_DESCRIPTOR_SET)
                .with_service_name(SERVICE_NAME)
        };
        let server = StorageServiceServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let routes = Routes::new(server).add_service(reflection().build_v1()?);
        Ok(routes.add_service(reflection().build_v1alpha()?))
    }

    /// Runs `work` where it may block, and answers with what it returns.
    async fn answer<Q, T: Send + 'static>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&Exports, Q) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T>
    where
        Q: Send + 'static,
    {
        authenticate(&request)?;
        let Ok(_under_way) = self.under_way.try_acquire() else {
            return Err(Error::Overloaded.status());
        };
        // Never closed, so only the wait itself matters. The permit goes with the work, which outlives a caller that
        // hangs up.
        let working = Arc::clone(&self.working).acquire_owned().await;
        let (exports, message) = (Arc::clone(&self.exports), request.into_inner());
        let outcome = self
            .env
            .spawn
            .blocking(move || {
                let outcome = work(&exports, message);
                drop(working);
                outcome
            })
            .await
            .map_err(|source| Error::Io {
                operation: "serve request",
                source,
            })
            .and_then(|outcome| outcome);
        outcome.map(Response::new).map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &Error) -> Status {
        if let Error::Io { operation, source } = error {
            tracing::error!(operation, error = %source, "file operation failed");
            self.health
                .set(DISK_CHECK, Check::Failed(format!("{operation}: {source}")));
        }
        error.status()
    }
}

/// Until there are finer rules, whoever has a certificate of the cluster's authority may use every export.
fn authenticate<T>(request: &Request<T>) -> Result<(), Status> {
    match request.extensions().get::<Arc<Peer>>() {
        Some(peer) if !peer.is_anonymous() => Ok(()),
        _ => Err(Status::unauthenticated(
            "use storage: a client certificate of the cluster is needed",
        )),
    }
}

fn attributes(stat: &Stat) -> Option<wire::Attributes> {
    let kind = match stat.kind {
        Kind::Regular => wire::FileType::Regular,
        Kind::Directory => wire::FileType::Directory,
        Kind::Other => wire::FileType::Unspecified,
    };
    Some(wire::Attributes {
        r#type: kind.into(),
        mode: stat.mode,
        size_bytes: stat.size,
        file_id: stat.id.inode,
        modified_ns: stat.modified_ns,
        changed_ns: stat.changed_ns,
        links: stat.links,
    })
}

fn seal(exports: &Exports, export: &Export, file: FileId) -> bytes::Bytes {
    exports.sealer().seal(Handle {
        export: export.id(),
        file,
    })
}

/// What a client asks for, or the default for zero.
fn permissions(asked: u32, default: u32) -> u32 {
    if asked == 0 { default } else { asked }
}

fn create_mode(request: &wire::StorageServiceCreateRequest) -> Result<CreateMode, Error> {
    match request.mode() {
        wire::CreateMode::Unspecified | wire::CreateMode::Unchecked => Ok(CreateMode::Unchecked),
        wire::CreateMode::Guarded => Ok(CreateMode::Guarded),
        wire::CreateMode::Exclusive => {
            let verifier: [u8; VERIFIER_BYTES] = (&*request.verifier)
                .try_into()
                .map_err(|_| Error::InvalidArgument("an exclusive create has a verifier of eight bytes"))?;
            Ok(CreateMode::Exclusive(verifier))
        }
    }
}

fn stability(asked: wire::Stability) -> WriteStability {
    match asked {
        wire::Stability::Unspecified | wire::Stability::Unstable => WriteStability::Unstable,
        wire::Stability::DataSync => WriteStability::DataSync,
        wire::Stability::FileSync => WriteStability::FileSync,
    }
}

#[tonic::async_trait]
impl StorageService for Service {
    async fn mount(&self, request: Request<wire::MountRequest>) -> Answer<wire::MountResponse> {
        self.answer(request, |exports, request| {
            let (export, directory) = exports.mount(&ExportPath::parse(&request.export)?, request.create)?;
            let stat = export.attributes(directory)?;
            Ok(wire::MountResponse {
                root: seal(exports, &export, directory),
                attributes: attributes(&stat),
            })
        })
        .await
    }

    async fn list_exports(
        &self,
        request: Request<wire::ListExportsRequest>,
    ) -> Answer<wire::ListExportsResponse> {
        self.answer(request, |exports, _| {
            let paths = exports
                .list()?
                .iter()
                .map(|name| format!("/exports/{name}"))
                .collect();
            Ok(wire::ListExportsResponse { exports: paths })
        })
        .await
    }

    async fn delete_export(
        &self,
        request: Request<wire::DeleteExportRequest>,
    ) -> Answer<wire::DeleteExportResponse> {
        let answer = self
            .answer(request, |exports, request| {
                exports.delete(&ExportPath::parse(&request.export)?)?;
                Ok(wire::DeleteExportResponse {})
            })
            .await?;
        crate::server::sweep(&self.exports, &self.env);
        Ok(answer)
    }

    async fn lookup(&self, request: Request<wire::LookupRequest>) -> Answer<wire::LookupResponse> {
        self.answer(request, |exports, request| {
            let (export, directory) = exports.resolve(&request.directory)?;
            let stat = export.lookup(directory, &Name::new(&request.name)?)?;
            Ok(wire::LookupResponse {
                handle: seal(exports, &export, stat.id),
                attributes: attributes(&stat),
            })
        })
        .await
    }

    async fn get_attributes(
        &self,
        request: Request<wire::GetAttributesRequest>,
    ) -> Answer<wire::GetAttributesResponse> {
        self.answer(request, |exports, request| {
            let (export, file) = exports.resolve(&request.handle)?;
            Ok(wire::GetAttributesResponse {
                attributes: attributes(&export.attributes(file)?),
            })
        })
        .await
    }

    async fn set_attributes(
        &self,
        request: Request<wire::SetAttributesRequest>,
    ) -> Answer<wire::SetAttributesResponse> {
        self.answer(request, |exports, request| {
            let (export, file) = exports.resolve(&request.handle)?;
            let stat = export.set_attributes(file, request.mode, request.size_bytes)?;
            Ok(wire::SetAttributesResponse {
                attributes: attributes(&stat),
            })
        })
        .await
    }

    async fn create(
        &self,
        request: Request<wire::StorageServiceCreateRequest>,
    ) -> Answer<wire::StorageServiceCreateResponse> {
        self.answer(request, |exports, request| {
            let (export, directory) = exports.resolve(&request.directory)?;
            let mode = create_mode(&request)?;
            let permissions = permissions(request.permissions, DEFAULT_FILE_PERMISSIONS);
            let stat = export.create(directory, &Name::new(&request.name)?, mode, permissions)?;
            let handle = seal(exports, &export, stat.id);
            Ok(wire::StorageServiceCreateResponse {
                handle,
                attributes: attributes(&stat),
            })
        })
        .await
    }

    async fn read(&self, request: Request<wire::ReadRequest>) -> Answer<wire::ReadResponse> {
        self.answer(request, |exports, request| {
            let (export, file) = exports.resolve(&request.handle)?;
            let count = usize::try_from(request.count).unwrap_or(MAX_IO_BYTES);
            let read = export.read(file, request.offset, count)?;
            Ok(wire::ReadResponse {
                eof: read.eof,
                attributes: attributes(&read.stat),
                data: read.data.into(),
            })
        })
        .await
    }

    async fn write(&self, request: Request<wire::WriteRequest>) -> Answer<wire::WriteResponse> {
        self.answer(request, |exports, request| {
            let (export, file) = exports.resolve(&request.handle)?;
            let committed = match request.stability() {
                wire::Stability::Unspecified => wire::Stability::Unstable,
                asked => asked,
            };
            let written = export.write(file, request.offset, &request.data, stability(committed))?;
            Ok(wire::WriteResponse {
                // At most MAX_IO_BYTES were taken.
                count: u32::try_from(request.data.len()).unwrap_or(u32::MAX),
                committed: committed.into(),
                verifier: bytes::Bytes::copy_from_slice(&written.verifier),
                attributes: attributes(&written.stat),
            })
        })
        .await
    }

    async fn commit(&self, request: Request<wire::CommitRequest>) -> Answer<wire::CommitResponse> {
        let answer = self
            .answer(request, |exports, request| {
                let (export, file) = exports.resolve(&request.handle)?;
                let committed = export.commit(file)?;
                let verifier = bytes::Bytes::copy_from_slice(&committed.verifier);
                Ok(wire::CommitResponse {
                    verifier,
                    attributes: attributes(&committed.stat),
                })
            })
            .await?;
        // The disk has just taken a sync, whatever it refused before.
        self.health.set(DISK_CHECK, Check::Ok);
        Ok(answer)
    }

    async fn remove(&self, request: Request<wire::RemoveRequest>) -> Answer<wire::RemoveResponse> {
        self.answer(request, |exports, request| {
            let (export, directory) = exports.resolve(&request.directory)?;
            export.remove(directory, &Name::new(&request.name)?, request.is_directory)?;
            Ok(wire::RemoveResponse {})
        })
        .await
    }

    async fn rename(&self, request: Request<wire::RenameRequest>) -> Answer<wire::RenameResponse> {
        self.answer(request, |exports, request| {
            let (export, from) = exports.resolve(&request.from_directory)?;
            let (other, to) = exports.resolve(&request.to_directory)?;
            if export.id() != other.id() {
                return Err(Error::CrossExport);
            }
            export.rename(
                from,
                &Name::new(&request.from_name)?,
                to,
                &Name::new(&request.to_name)?,
            )?;
            Ok(wire::RenameResponse {})
        })
        .await
    }

    async fn make_directory(
        &self,
        request: Request<wire::MakeDirectoryRequest>,
    ) -> Answer<wire::MakeDirectoryResponse> {
        self.answer(request, |exports, request| {
            let (export, parent) = exports.resolve(&request.directory)?;
            let permissions = permissions(request.permissions, DEFAULT_DIRECTORY_PERMISSIONS);
            let stat = export.make_directory(parent, &Name::new(&request.name)?, permissions)?;
            Ok(wire::MakeDirectoryResponse {
                handle: seal(exports, &export, stat.id),
                attributes: attributes(&stat),
            })
        })
        .await
    }

    async fn read_directory(
        &self,
        request: Request<wire::ReadDirectoryRequest>,
    ) -> Answer<wire::ReadDirectoryResponse> {
        self.answer(request, |exports, request| {
            let (export, directory) = exports.resolve(&request.directory)?;
            let listing = export.list(directory, request.cookie, request.max_entries)?;
            let entries = listing.entries.into_iter().map(|entry| wire::DirectoryEntry {
                handle: match entry.stat.kind {
                    Kind::Regular | Kind::Directory => seal(exports, &export, entry.stat.id),
                    Kind::Other => bytes::Bytes::new(),
                },
                attributes: attributes(&entry.stat),
                name: entry.name,
                cookie: entry.cookie,
            });
            Ok(wire::ReadDirectoryResponse {
                entries: entries.collect(),
                eof: listing.eof,
            })
        })
        .await
    }
}
