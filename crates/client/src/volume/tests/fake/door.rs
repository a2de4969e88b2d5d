//! The fake's gRPC door.

use std::collections::BTreeMap;

use bytes::Bytes;
use coracle_proto::v1::{self as pb, storage_service_server::StorageService};
use tonic::{Code, Request, Response, Status};

use super::{Fake, Node, ROOT, failure, not_found};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl StorageService for Fake {
    async fn mount(&self, _: Request<pb::MountRequest>) -> Answer<pb::MountResponse> {
        self.answer(|state| {
            Ok(pb::MountResponse {
                root: state.seal(ROOT),
                attributes: state.attributes(ROOT),
            })
        })
    }

    async fn list_exports(&self, _: Request<pb::ListExportsRequest>) -> Answer<pb::ListExportsResponse> {
        Err(Status::unimplemented("no volume asks for it"))
    }

    async fn delete_export(&self, _: Request<pb::DeleteExportRequest>) -> Answer<pb::DeleteExportResponse> {
        Err(Status::unimplemented("no volume asks for it"))
    }

    async fn lookup(&self, request: Request<pb::LookupRequest>) -> Answer<pb::LookupResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let directory = state.open(&request.directory)?;
            let found = *state
                .directory(directory)?
                .get(&request.name)
                .ok_or_else(not_found)?;
            Ok(pb::LookupResponse {
                handle: state.seal(found),
                attributes: state.attributes(found),
            })
        })
    }

    async fn get_attributes(
        &self,
        request: Request<pb::GetAttributesRequest>,
    ) -> Answer<pb::GetAttributesResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let node = state.open(&request.handle)?;
            Ok(pb::GetAttributesResponse {
                attributes: state.attributes(node),
            })
        })
    }

    async fn set_attributes(
        &self,
        request: Request<pb::SetAttributesRequest>,
    ) -> Answer<pb::SetAttributesResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let node = state.open(&request.handle)?;
            if let Some(size) = request.size_bytes {
                state.file(node)?.resize(size as usize, 0);
            }
            state.sync(node);
            Ok(pb::SetAttributesResponse {
                attributes: state.attributes(node),
            })
        })
    }

    async fn create(
        &self,
        request: Request<pb::StorageServiceCreateRequest>,
    ) -> Answer<pb::StorageServiceCreateResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let directory = state.open(&request.directory)?;
            let exclusive = request.mode() == pb::CreateMode::Exclusive;
            let node = match state.directory(directory)?.get(&request.name).copied() {
                None => {
                    let node = Node::File {
                        seen: vec![],
                        durable: vec![],
                        made_by: request.verifier.clone(),
                    };
                    state.add(directory, request.name.clone(), node)
                }
                Some(found) => match &state.nodes[&found] {
                    Node::File { made_by, .. } if !exclusive || *made_by == request.verifier => found,
                    Node::Directory(_) if !exclusive => {
                        return Err(failure(Code::FailedPrecondition, "IsDirectory"));
                    }
                    _ => return Err(failure(Code::AlreadyExists, "Exists")),
                },
            };
            Ok(pb::StorageServiceCreateResponse {
                handle: state.seal(node),
                attributes: state.attributes(node),
            })
        })
    }

    async fn read(&self, request: Request<pb::ReadRequest>) -> Answer<pb::ReadResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let node = state.open(&request.handle)?;
            let attributes = state.attributes(node);
            let data = state.file(node)?;
            let start = data.len().min(request.offset as usize);
            let end = data.len().min(start + request.count as usize);
            let read = Bytes::copy_from_slice(&data[start..end]);
            Ok(pb::ReadResponse {
                data: read,
                eof: end == data.len(),
                attributes,
            })
        })
    }

    async fn write(&self, request: Request<pb::WriteRequest>) -> Answer<pb::WriteResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let node = state.open(&request.handle)?;
            let verifier = state.verifier();
            let data = state.file(node)?;
            let (start, end) = (
                request.offset as usize,
                request.offset as usize + request.data.len(),
            );
            data.resize(data.len().max(end), 0);
            data[start..end].copy_from_slice(&request.data);
            Ok(pb::WriteResponse {
                count: request.data.len() as u32,
                committed: pb::Stability::Unstable.into(),
                verifier,
                attributes: None,
            })
        })
    }

    async fn commit(&self, request: Request<pb::CommitRequest>) -> Answer<pb::CommitResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let node = state.open(&request.handle)?;
            state.sync(node);
            Ok(pb::CommitResponse {
                verifier: state.verifier(),
                attributes: None,
            })
        })
    }

    async fn remove(&self, request: Request<pb::RemoveRequest>) -> Answer<pb::RemoveResponse> {
        let request = request.into_inner();
        self.answer(|state| state.remove(&request))
    }

    async fn rename(&self, request: Request<pb::RenameRequest>) -> Answer<pb::RenameResponse> {
        let request = request.into_inner();
        self.answer(|state| state.rename(request))
    }

    async fn make_directory(
        &self,
        request: Request<pb::MakeDirectoryRequest>,
    ) -> Answer<pb::MakeDirectoryResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let directory = state.open(&request.directory)?;
            if state.directory(directory)?.contains_key(&request.name) {
                return Err(failure(Code::AlreadyExists, "Exists"));
            }
            let node = state.add(directory, request.name.clone(), Node::Directory(BTreeMap::new()));
            Ok(pb::MakeDirectoryResponse {
                handle: state.seal(node),
                attributes: state.attributes(node),
            })
        })
    }

    async fn read_directory(
        &self,
        request: Request<pb::ReadDirectoryRequest>,
    ) -> Answer<pb::ReadDirectoryResponse> {
        let request = request.into_inner();
        self.answer(|state| {
            let directory = state.open(&request.directory)?;
            // Pages of two, so that every listing takes several.
            let mut rest = state.directory(directory)?.iter().skip(request.cookie as usize);
            let page = rest.by_ref().take(2).zip(request.cookie + 1..);
            let entries = page.map(|((name, &node), cookie)| pb::DirectoryEntry {
                name: name.clone(),
                cookie,
                handle: state.seal(node),
                attributes: state.attributes(node),
            });
            let entries = entries.collect();
            Ok(pb::ReadDirectoryResponse {
                entries,
                eof: rest.next().is_none(),
            })
        })
    }
}
