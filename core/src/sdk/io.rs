//! What goes into a client machine and what comes out.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Timing;
use crate::ids::{ClientId, ConnId, NodeId, RequestId, Str};
use crate::io::SendError;
use crate::message::naming::{Instance, ServiceInfo, ServiceKey, ServiceListResponse};
use crate::message::{Received, Request, Response};
use crate::profile::Profile;

/// Everything a client is told before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SdkConfig {
    /// Servers in the order in which they are tried, by main address.
    pub servers: Vec<NodeId>,
    /// Index into `servers` of the first one to try.
    pub first: usize,
    /// The client's own address, sent with the setup.
    pub client_ip: Str,
    /// Application name, sent with the setup.
    pub app: Str,
    /// Seed of this client's randomness (jitter).
    pub seed: u64,
    /// Protocol constants: the health check, redo and request times count here.
    pub timing: Timing,
    /// Which client-side quirks it has.
    pub profile: Profile,
}

/// Everything that can happen to a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SdkInput {
    /// An [`SdkOutput::Dial`] succeeded.
    Dialed {
        /// The shell's number for the new transport; unique over the client's life.
        conn: ConnId,
    },
    /// An [`SdkOutput::Dial`] failed.
    DialFailed,
    /// A transport ended. Not sent for what the client closed itself.
    ConnClosed {
        /// Which.
        conn: ConnId,
    },
    /// The server sent a request.
    Request {
        /// On which transport.
        conn: ConnId,
        /// The server's number for it.
        id: RequestId,
        /// The request, or why it is none.
        received: Received,
    },
    /// The server answered.
    Response {
        /// On which transport.
        conn: ConnId,
        /// Our number for the request.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// A request could not be sent.
    SendFailed {
        /// On which transport.
        conn: ConnId,
        /// Our number for the request.
        id: RequestId,
        /// Why.
        cause: SendError,
    },
    /// Time has passed. A spurious wake is harmless.
    Wake,
    /// The application calls.
    Call {
        /// The application's number for the call; comes back in [`SdkOutput::Done`].
        call: u64,
        /// What it wants.
        what: Call,
    },
}

/// What an application can ask of its client.
///
/// Register, batch register, deregister, subscribe and unsubscribe set what the application wants;
/// the machine keeps it true over every reconnect (redo) until the application says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Publish one instance for a service, in place of whatever this client published for it.
    Register {
        /// Which service.
        service: ServiceKey,
        /// What to publish.
        instance: Instance,
    },
    /// Publish a list for a service, in place of whatever this client published for it.
    BatchRegister {
        /// Which service.
        service: ServiceKey,
        /// What to publish.
        instances: Vec<Instance>,
    },
    /// Withdraw whatever this client publishes for a service.
    Deregister {
        /// Which service.
        service: ServiceKey,
    },
    /// Keep the list of a service up to date from now on.
    Subscribe {
        /// Which service.
        service: ServiceKey,
        /// Comma-separated clusters, empty for all.
        clusters: Str,
    },
    /// Stop it.
    Unsubscribe {
        /// Which service.
        service: ServiceKey,
    },
    /// Ask once.
    Query {
        /// Which service.
        service: ServiceKey,
        /// Comma-separated clusters, empty for all.
        clusters: Str,
        /// Leave out unhealthy instances.
        healthy_only: bool,
    },
    /// Ask for service names.
    List {
        /// Namespace id.
        namespace: Str,
        /// Group.
        group: Str,
        /// First page is 1.
        page_no: i32,
        /// Names per page.
        page_size: i32,
    },
}

/// The result of a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The server acknowledged a register, batch register, deregister or unsubscribe.
    Done,
    /// To subscribe and query.
    Service(Arc<ServiceInfo>),
    /// To list.
    Services(ServiceListResponse),
}

/// Why a [`Call`] failed. What a register or subscribe asked for stays wanted unless the server
/// refused it, and is redone when the connection is back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallError {
    /// No running connection within the request timeout.
    NotConnected,
    /// No answer within the request timeout, or only such as "not now".
    Timeout,
    /// The server refused; nothing changed there. The wish is dropped.
    Refused {
        /// Nacos's error code.
        code: i32,
        /// The server's words.
        message: Str,
    },
    /// A later call for the same service took its place before it was answered.
    Superseded,
}

/// What a client asks its shell to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SdkOutput {
    /// Open a transport to a server's SDK listener, then report `Dialed` or `DialFailed`, the
    /// latter after [`Timing::connect_timeout`] at the latest. The client never has two dials
    /// under way.
    Dial {
        /// Main address of the server.
        server: NodeId,
    },
    /// Send a request. The client itself watches the time.
    Request {
        /// On which transport.
        conn: ConnId,
        /// Our number for it, unique on this connection.
        id: RequestId,
        /// The request.
        request: Request,
    },
    /// Answer a request of the server.
    Response {
        /// On which transport.
        conn: ConnId,
        /// The server's number for it.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// Close a transport. No `ConnClosed` follows.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// A call is over.
    Done {
        /// The application's number for it.
        call: u64,
        /// How it ended.
        result: Result<Answer, CallError>,
    },
    /// Something worth knowing happened.
    Event(SdkEvent),
}

/// What a client says of its own doings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SdkEvent {
    /// The connection is set up and usable.
    Connected {
        /// To which server.
        server: NodeId,
        /// The id the server gave.
        client: ClientId,
    },
    /// The connection is lost or given up; another is sought.
    Disconnected {
        /// From which server.
        server: NodeId,
    },
    /// The server acknowledged what the application wants published for a service.
    Registered {
        /// Which service.
        service: ServiceKey,
        /// True when it was a redo, false when the application's own call.
        redo: bool,
    },
    /// A subscribed list changed in the client's view.
    ListChanged {
        /// The new list.
        info: Arc<ServiceInfo>,
    },
    /// A list arrived that the client's ordering rule made it ignore.
    ListIgnored {
        /// Which service.
        service: ServiceKey,
    },
}
