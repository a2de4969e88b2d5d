//! The file layer against a model that anybody can read: random operations, restarts among them, must end alike.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Disk, name};
use crate::{
    Error,
    export::{CreateMode, WriteStability},
    handles::FileId,
};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Files are chosen by index among all that were ever made, so that removed ones are used too.
#[derive(Clone, Debug)]
enum Op {
    Create {
        directory: usize,
        name: usize,
        guarded: bool,
    },
    MakeDirectory {
        directory: usize,
        name: usize,
    },
    Lookup {
        directory: usize,
        name: usize,
    },
    Write {
        file: usize,
        offset: u64,
        length: usize,
        byte: u8,
        synced: bool,
    },
    Resize {
        file: usize,
        size: u64,
    },
    Read {
        file: usize,
    },
    Commit {
        file: usize,
    },
    Remove {
        directory: usize,
        name: usize,
        is_directory: bool,
    },
    Rename {
        from: usize,
        from_name: usize,
        to: usize,
        to_name: usize,
    },
    List {
        directory: usize,
    },
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let any_file = 0_usize..64;
    let any_name = 0..NAMES.len();
    let at = (any_file.clone(), any_name.clone());
    prop_oneof![
        4 => (at.clone(), any::<bool>()).prop_map(|((directory, name), guarded)| Op::Create { directory, name, guarded }),
        3 => at.clone().prop_map(|(directory, name)| Op::MakeDirectory { directory, name }),
        1 => at.clone().prop_map(|(directory, name)| Op::Lookup { directory, name }),
        4 => (any_file.clone(), 0_u64..40, 0_usize..40, any::<u8>(), any::<bool>()).prop_map(
            |(file, offset, length, byte, synced)| Op::Write { file, offset, length, byte, synced }
        ),
        1 => (any_file.clone(), 0_u64..60).prop_map(|(file, size)| Op::Resize { file, size }),
        3 => any_file.clone().prop_map(|file| Op::Read { file }),
        1 => any_file.clone().prop_map(|file| Op::Commit { file }),
        2 => (at.clone(), any::<bool>())
            .prop_map(|((directory, name), is_directory)| Op::Remove { directory, name, is_directory }),
        3 => (at.clone(), at).prop_map(|((from, from_name), (to, to_name))| Op::Rename { from, from_name, to, to_name }),
        2 => any_file.prop_map(|directory| Op::List { directory }),
        1 => Just(Op::Restart),
    ]
}

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>),
    Directory(BTreeMap<usize, usize>),
    Gone,
}

/// What an operation tells its caller.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Node(usize),
    Data(Vec<u8>),
    Names(Vec<usize>),
}

type Outcome = Result<Told, &'static str>;

/// Node 0 is the root.
struct Model {
    nodes: Vec<Node>,
}

impl Model {
    fn directory(&self, node: usize) -> Result<&BTreeMap<usize, usize>, &'static str> {
        match &self.nodes[node] {
            Node::Directory(entries) => Ok(entries),
            Node::File(_) => Err("NotDirectory"),
            Node::Gone => Err("Stale"),
        }
    }

    fn file(&mut self, node: usize) -> Result<&mut Vec<u8>, &'static str> {
        match &mut self.nodes[node] {
            Node::File(data) => Ok(data),
            Node::Directory(_) => Err("IsDirectory"),
            Node::Gone => Err("Stale"),
        }
    }

    fn entries(&mut self, node: usize) -> &mut BTreeMap<usize, usize> {
        match &mut self.nodes[node] {
            Node::Directory(entries) => entries,
            other => panic!("{other:?} was a directory"),
        }
    }

    fn add(&mut self, directory: usize, name: usize, node: Node) -> Outcome {
        self.nodes.push(node);
        let made = self.nodes.len() - 1;
        self.entries(directory).insert(name, made);
        Ok(Told::Node(made))
    }

    fn is_directory(&self, node: usize) -> bool {
        matches!(self.nodes[node], Node::Directory(_))
    }

    /// Whether `node` is `ancestor` or lies below it.
    fn is_within(&self, node: usize, ancestor: usize) -> bool {
        node == ancestor
            || self
                .directory(ancestor)
                .is_ok_and(|entries| entries.values().any(|&child| self.is_within(node, child)))
    }

    fn apply(&mut self, op: &Op) -> Outcome {
        match *op {
            Op::Create {
                directory,
                name,
                guarded,
            } => match self.directory(directory)?.get(&name) {
                None => self.add(directory, name, Node::File(Vec::new())),
                Some(_) if guarded => Err("Exists"),
                Some(&found) if self.is_directory(found) => Err("IsDirectory"),
                Some(&found) => Ok(Told::Node(found)),
            },
            Op::MakeDirectory { directory, name } => match self.directory(directory)?.get(&name) {
                None => self.add(directory, name, Node::Directory(BTreeMap::new())),
                Some(_) => Err("Exists"),
            },
            Op::Lookup { directory, name } => self
                .directory(directory)?
                .get(&name)
                .map(|&found| Told::Node(found))
                .ok_or("NotFound"),
            Op::Write {
                file,
                offset,
                length,
                byte,
                ..
            } => {
                let data = self.file(file)?;
                let end = offset as usize + length;
                if length > 0 {
                    data.resize(data.len().max(end), 0);
                    data[offset as usize..end].fill(byte);
                }
                Ok(Told::Nothing)
            }
            Op::Resize { file, size } => self
                .file(file)
                .map(|data| data.resize(size as usize, 0))
                .map(|()| Told::Nothing),
            Op::Read { file } => self.file(file).map(|data| Told::Data(data.clone())),
            Op::Commit { file } => match self.nodes[file] {
                Node::Gone => Err("Stale"),
                _ => Ok(Told::Nothing),
            },
            Op::Remove {
                directory,
                name,
                is_directory,
            } => self.remove(directory, name, is_directory),
            Op::Rename {
                from,
                from_name,
                to,
                to_name,
            } => self.rename(from, from_name, to, to_name),
            Op::List { directory } => Ok(Told::Names(self.directory(directory)?.keys().copied().collect())),
            Op::Restart => Ok(Told::Nothing),
        }
    }

    fn remove(&mut self, directory: usize, name: usize, is_directory: bool) -> Outcome {
        let &found = self.directory(directory)?.get(&name).ok_or("NotFound")?;
        match &self.nodes[found] {
            Node::Directory(_) if !is_directory => return Err("IsDirectory"),
            Node::Directory(entries) if !entries.is_empty() => return Err("NotEmpty"),
            Node::File(_) if is_directory => return Err("NotDirectory"),
            _ => {}
        }
        self.entries(directory).remove(&name);
        self.nodes[found] = Node::Gone;
        Ok(Told::Nothing)
    }

    fn rename(&mut self, from: usize, from_name: usize, to: usize, to_name: usize) -> Outcome {
        self.directory(from)?;
        self.directory(to)?;
        let &moved = self.directory(from)?.get(&from_name).ok_or("NotFound")?;
        let replaced = self.directory(to)?.get(&to_name).copied();
        if replaced == Some(moved) {
            return Ok(Told::Nothing);
        }
        if let Some(replaced) = replaced {
            match (self.is_directory(moved), self.is_directory(replaced)) {
                (false, true) => return Err("IsDirectory"),
                (true, false) => return Err("NotDirectory"),
                _ => {}
            }
        }
        if self.is_within(to, moved) {
            return Err("InvalidArgument");
        }
        if let Some(replaced) = replaced {
            if self.directory(replaced).is_ok_and(|entries| !entries.is_empty()) {
                return Err("NotEmpty");
            }
            self.nodes[replaced] = Node::Gone;
        }
        self.entries(from).remove(&from_name);
        self.entries(to).insert(to_name, moved);
        Ok(Told::Nothing)
    }
}

/// The disk, with the identity of each of the model's nodes.
struct Real {
    disk: Disk,
    ids: Vec<FileId>,
}

impl Real {
    fn node(&mut self, id: FileId) -> Told {
        let known = self.ids.iter().position(|known| *known == id);
        Told::Node(known.unwrap_or_else(|| {
            self.ids.push(id);
            self.ids.len() - 1
        }))
    }

    fn apply(&mut self, op: &Op) -> Result<Told, Error> {
        if let Op::Restart = op {
            self.disk.restart();
            return Ok(Told::Nothing);
        }
        let export = self.disk.export();
        let id = |index: usize| self.ids[index];
        let text = |index: usize| name(NAMES[index]);
        match *op {
            Op::Create {
                directory,
                name,
                guarded,
            } => {
                let mode = if guarded {
                    CreateMode::Guarded
                } else {
                    CreateMode::Unchecked
                };
                let made = export.create(id(directory), &text(name), mode, 0o644)?;
                Ok(self.node(made.id))
            }
            Op::MakeDirectory { directory, name } => {
                let made = export.make_directory(id(directory), &text(name), 0o755)?;
                Ok(self.node(made.id))
            }
            Op::Lookup { directory, name } => {
                let found = export.lookup(id(directory), &text(name))?;
                Ok(self.node(found.id))
            }
            Op::Write {
                file,
                offset,
                length,
                byte,
                synced,
            } => {
                let stability = if synced {
                    WriteStability::DataSync
                } else {
                    WriteStability::Unstable
                };
                export
                    .write(id(file), offset, &vec![byte; length], stability)
                    .map(|_| Told::Nothing)
            }
            Op::Resize { file, size } => export
                .set_attributes(id(file), None, Some(size))
                .map(|_| Told::Nothing),
            Op::Read { file } => self.disk.read(id(file)).map(Told::Data),
            Op::Commit { file } => export.commit(id(file)).map(|_| Told::Nothing),
            Op::Remove {
                directory,
                name,
                is_directory,
            } => export
                .remove(id(directory), &text(name), is_directory)
                .map(|()| Told::Nothing),
            Op::Rename {
                from,
                from_name,
                to,
                to_name,
            } => export
                .rename(id(from), &text(from_name), id(to), &text(to_name))
                .map(|()| Told::Nothing),
            Op::List { directory } => {
                let listing = export.list(id(directory), 0, 0)?;
                let index = |text: &str| NAMES.iter().position(|name| *name == text);
                let mut names: Vec<_> = listing
                    .entries
                    .iter()
                    .filter_map(|entry| index(&entry.name))
                    .collect();
                names.sort_unstable();
                Ok(Told::Names(names))
            }
            Op::Restart => unreachable!("handled above"),
        }
    }
}

/// Brings the indices of an operation into the range of what exists.
fn fit(op: &Op, nodes: usize) -> Op {
    let mut op = op.clone();
    match &mut op {
        Op::Create { directory: file, .. }
        | Op::MakeDirectory { directory: file, .. }
        | Op::Lookup { directory: file, .. }
        | Op::Write { file, .. }
        | Op::Resize { file, .. }
        | Op::Read { file }
        | Op::Commit { file }
        | Op::Remove { directory: file, .. }
        | Op::List { directory: file } => *file %= nodes,
        Op::Rename { from, to, .. } => {
            *from %= nodes;
            *to %= nodes;
        }
        Op::Restart => {}
    }
    op
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn operations_agree_with_the_model(ops in prop::collection::vec(op(), 1..80)) {
        let disk = Disk::new();
        let mut real = Real { ids: vec![disk.root()], disk };
        let mut model = Model { nodes: vec![Node::Directory(BTreeMap::new())] };
        for op in ops {
            let op = fit(&op, model.nodes.len());
            let expected = model.apply(&op);
            let found = real.apply(&op).map_err(|error| error.reason());
            prop_assert_eq!(found, expected, "{:?}", op);
        }
        let files = model.nodes.iter().filter_map(|node| match node {
            Node::File(data) => Some(data.len() as u64),
            _ => None,
        });
        prop_assert_eq!(real.disk.export().usage().unwrap().bytes, files.sum::<u64>());
    }
}
