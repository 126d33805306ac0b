//! What the [table](crate::messages) says, as types.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::hash::{Hash, Hasher};

use crate::named;

use super::extent::{Extent, SMALL_ANSWER, SMALL_REQUEST};
use super::unsupported::Unsupported;
use super::{MessageKind, Received};

/// Who sends a request, and so on which listener it may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Who dialled, client or node: on either listener.
    Anyone,
    /// A fellow node that dialled: on the cluster listener (Nacos `InvokeSource`, 2.4.3).
    Node,
    /// The server that accepted the connection: on none.
    Server,
}

/// What the table says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFacts {
    /// Nacos's type name, as in `Payload.metadata.type`.
    pub name: &'static str,
    /// What traces hash it by.
    pub number: u8,
    /// The kind that faults filter on and counters are kept by; absent when it depends on the
    /// content.
    pub kind: Option<MessageKind>,
    /// The type of its answer; absent for the two messages of the connection setup, which are
    /// answered by other means.
    pub answer: Option<AnswerType>,
    /// Who sends it.
    pub from: Sender,
    /// It is refused on a connection that is not set up.
    pub needs_setup: bool,
    /// Nacos asks for an access token.
    pub secured: bool,
}

/// What the table says of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerFacts {
    /// Nacos's type name, as in `Payload.metadata.type`.
    pub name: &'static str,
    /// Another name that is read as this one and never written.
    pub also: Option<&'static str>,
}

/// An enum with a section of the table as its variants, and how a request becomes one of them.
macro_rules! section {
    (
        $(#[$about:meta])* $name:ident:
        $( $(#[$doc:meta])* $variant:ident $(($content:ty))? )*
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$doc])* $variant $(($content))?, )*
        }
    };
}

macro_rules! vocabulary {
    (
        to_server { $($(#[$sd:meta])* $s:ident $(($sc:ty))? { $($sf:tt)* })* }
        to_dialer { $($(#[$dd:meta])* $d:ident $(($dc:ty))? { $($df:tt)* })* }
        to_client { $($(#[$cd:meta])* $c:ident $(($cc:ty))? { $($cf:tt)* })* }
        answers { $($(#[$ad:meta])* $a:ident $(($ac:ty))? { $($af:tt)* })* }
    ) => {
        /// What one end asks of the other.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request {
            $( $(#[$sd])* $s $(($sc))?, )*
            $( #[doc = "Server to who dialled it:"] $(#[$dd])* $d $(($dc))?, )*
            $( #[doc = "Server to client:"] $(#[$cd])* $c $(($cc))?, )*
        }

        /// The type of a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum RequestType {
            $( $(#[$sd])* $s, )*
            $( $(#[$dd])* $d, )*
            $( $(#[$cd])* $c, )*
        }

        section! {
            /// What a server is asked by who dialled it.
            ToServer: $( $(#[$sd])* $s $(($sc))? )*
        }
        section! {
            /// What a server asks of everybody who dialled it, client or node.
            ToDialer: $( $(#[$dd])* $d $(($dc))? )*
        }
        section! {
            /// What a server asks of clients alone.
            ToClient: $( $(#[$cd])* $c $(($cc))? )*
        }

        /// A request by whom it is for.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Addressed {
            /// For a server.
            Server(ToServer),
            /// For who dialled a server.
            Dialer(ToDialer),
            /// For a client.
            Client(ToClient),
        }

        impl RequestType {
            /// All of them.
            pub const ALL: &'static [RequestType] = &[
                $( RequestType::$s, )* $( RequestType::$d, )* $( RequestType::$c, )*
            ];

            const fn is_for_server(self) -> bool {
                match self {
                    $( RequestType::$s => true, )*
                    $( RequestType::$d => false, )*
                    $( RequestType::$c => false, )*
                }
            }

            /// What the table says of it.
            pub const fn facts(self) -> &'static RequestFacts {
                match self {
                    $( RequestType::$s => &RequestFacts { $($sf)* }, )*
                    $( RequestType::$d => &RequestFacts { $($df)* }, )*
                    $( RequestType::$c => &RequestFacts { $($cf)* }, )*
                }
            }
        }

        impl Request {
            /// Its type.
            pub const fn of(&self) -> RequestType {
                match self {
                    $( Request::$s { .. } => RequestType::$s, )*
                    $( Request::$d { .. } => RequestType::$d, )*
                    $( Request::$c { .. } => RequestType::$c, )*
                }
            }

            /// The request, for whom it is.
            pub fn addressed(self) -> Addressed {
                match self {
                    $( Request::$s $((named!($sc, it)))? =>
                        Addressed::Server(ToServer::$s $((named!($sc, it)))?), )*
                    $( Request::$d $((named!($dc, it)))? =>
                        Addressed::Dialer(ToDialer::$d $((named!($dc, it)))?), )*
                    $( Request::$c $((named!($cc, it)))? =>
                        Addressed::Client(ToClient::$c $((named!($cc, it)))?), )*
                }
            }

            /// Its content, when it has one.
            fn content(&self) -> Option<&dyn Extent> {
                match self {
                    $( Request::$s $((named!($sc, it)))? => content!($(it as $sc)?), )*
                    $( Request::$d $((named!($dc, it)))? => content!($(it as $dc)?), )*
                    $( Request::$c $((named!($cc, it)))? => content!($(it as $cc)?), )*
                }
            }
        }

        /// By the number in the table: sorting the table anew changes no trace's hash.
        impl Hash for Request {
            fn hash<H: Hasher>(&self, state: &mut H) {
                state.write_isize(isize::from(self.of().facts().number));
                match self {
                    $( Request::$s $((named!($sc, it)))? => { $(<$sc as Hash>::hash(it, state))? } )*
                    $( Request::$d $((named!($dc, it)))? => { $(<$dc as Hash>::hash(it, state))? } )*
                    $( Request::$c $((named!($cc, it)))? => { $(<$cc as Hash>::hash(it, state))? } )*
                }
            }
        }

        /// The typed part of a [`Response`](super::Response).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum ResponseBody {
            $( $(#[$ad])* $a $(($ac))?, )*
            /// To what is not offered here: always a failure.
            Unsupported(Unsupported),
        }

        /// The type of an answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum AnswerType {
            $( $(#[$ad])* $a, )*
        }

        impl AnswerType {
            /// All of them.
            pub const ALL: &'static [AnswerType] = &[$( AnswerType::$a, )*];

            /// What the table says of it.
            pub const fn facts(self) -> &'static AnswerFacts {
                match self {
                    $( AnswerType::$a => &AnswerFacts { $($af)* }, )*
                }
            }

            /// The answer without content: what stands beside a failing code.
            pub fn empty(self) -> ResponseBody {
                match self {
                    $( AnswerType::$a => ResponseBody::$a $((<$ac as Default>::default()))?, )*
                }
            }
        }

        impl ResponseBody {
            /// Nacos's type name, as in `Payload.metadata.type`.
            pub const fn type_name(&self) -> &'static str {
                match self {
                    $( ResponseBody::$a { .. } => AnswerType::$a.facts().name, )*
                    ResponseBody::Unsupported(which) => which.response_name(),
                }
            }

            /// Its content, when it has one.
            fn content(&self) -> Option<&dyn Extent> {
                match self {
                    $( ResponseBody::$a $((named!($ac, it)))? => content!($(it as $ac)?), )*
                    ResponseBody::Unsupported(_) => None,
                }
            }
        }
    };
}

/// The content of a row, as what has a size.
macro_rules! content {
    () => {
        None
    };
    ($it:ident as $content:ty) => {{
        let content: &$content = $it;
        Some(content)
    }};
}

crate::messages!(vocabulary);

const _: () = {
    let mut index = 0;
    while index < RequestType::ALL.len() {
        let of = RequestType::ALL[index];
        let facts = of.facts();
        assert!(
            facts.kind.is_some() || matches!(of, RequestType::DistroData),
            "only what has operations has its kind from them"
        );
        assert!(
            of.is_for_server() != matches!(facts.from, Sender::Server),
            "a row stands in the section of those whom its sender asks"
        );
        assert!(
            facts.number < Received::NUMBERS.0 || facts.number > Received::NUMBERS.1,
            "these numbers are those of what is no request"
        );
        assert!(
            !facts.secured || facts.needs_setup,
            "tokens are looked at where a connection is set up"
        );
        index += 1;
    }
};

impl RequestType {
    /// Nacos's type name.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The type with this Nacos type name.
    pub fn from_name(name: &str) -> Option<RequestType> {
        let mut all = RequestType::ALL.iter();
        all.find(|of| of.name() == name).copied()
    }
}

impl AnswerType {
    /// The type with this Nacos type name.
    pub fn from_name(name: &str) -> Option<AnswerType> {
        let mut all = AnswerType::ALL.iter();
        all.find(|of| of.facts().name == name || of.facts().also == Some(name))
            .copied()
    }
}

impl Request {
    /// Nacos's type name, as in `Payload.metadata.type`.
    pub const fn type_name(&self) -> &'static str {
        self.of().name()
    }

    /// The message kind that scenario faults filter on and that counters are kept by.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the table is checked when it is compiled"
    )]
    pub const fn kind(&self) -> MessageKind {
        if let Request::DistroData(data) = self {
            return data.operation().kind();
        }
        match self.of().facts().kind {
            Some(kind) => kind,
            None => panic!("the table gives a kind to whatever has no operations"),
        }
    }

    /// False for the two messages of the connection setup, which are answered by other means.
    pub const fn expects_response(&self) -> bool {
        self.of().facts().answer.is_some()
    }

    /// The typed part of its answer when it failed.
    pub fn failed(&self) -> ResponseBody {
        if let Request::Instance(asked) | Request::PersistentInstance(asked) = self {
            return ResponseBody::Instance(asked.operation);
        }
        let answer = self.of().facts().answer;
        answer.map_or(ResponseBody::Error, AnswerType::empty)
    }

    /// How many instances, names, records and digest entries it has. Zero for what is always small.
    pub fn parts(&self) -> u64 {
        self.content().map_or(0, Extent::parts)
    }

    /// About how many bytes its content takes on a wire.
    pub fn bytes_estimate(&self) -> u64 {
        let bytes = |content: &dyn Extent| content.bytes(SMALL_REQUEST);
        self.content().map_or(SMALL_REQUEST, bytes)
    }
}

impl ResponseBody {
    /// How many instances, names, records and digest entries it has. Zero for what is always small.
    pub fn parts(&self) -> u64 {
        self.content().map_or(0, Extent::parts)
    }

    /// About how many bytes its content takes on a wire.
    pub fn bytes_estimate(&self) -> u64 {
        let bytes = |content: &dyn Extent| content.bytes(SMALL_ANSWER);
        self.content().map_or(SMALL_ANSWER, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn numbers_and_names_are_given_once() {
        let requests = RequestType::ALL.iter().map(|of| of.facts());
        let numbers: BTreeSet<u8> = requests.clone().map(|facts| facts.number).collect();
        let names: BTreeSet<&str> = requests.map(|facts| facts.name).collect();
        assert_eq!(numbers.len(), RequestType::ALL.len());
        assert_eq!(names.len(), RequestType::ALL.len());
        for of in RequestType::ALL {
            assert_eq!(RequestType::from_name(of.name()), Some(*of));
            assert_eq!(Unsupported::of_request(of.name()), None);
        }
        for of in AnswerType::ALL {
            assert_eq!(AnswerType::from_name(of.facts().name), Some(*of));
        }
    }

    #[test]
    fn only_the_setup_and_its_acknowledgement_have_no_answer() {
        let silent = RequestType::ALL
            .iter()
            .filter(|of| of.facts().answer.is_none());
        let expected = [RequestType::ConnectionSetup, RequestType::SetupAck];
        assert!(silent.eq(&expected));
    }
}
