//! The table of messages: everything that is said of a message in one row.
//!
//! Whatever goes by the kind of a message is made of this table: the enums
//! [`Request`](super::Request) and [`ResponseBody`](super::ResponseBody), who may send what, which
//! answer belongs to it, how the codec reads and writes it, how a trace shows it. A row without the
//! rest does not compile.

/// Hands the table to a macro: `messages!(name)` is `name! { the table }`.
///
/// A request is a row of the section that says to whom it goes; an answer is a row of `answers`. In
/// parentheses stands the content, if there is any; in braces what else there is to say, as the
/// fields of [`RequestFacts`](crate::message::RequestFacts) and
/// [`AnswerFacts`](crate::message::AnswerFacts).
///
/// The number of a request is what traces hash it by. It is never used again for another.
#[macro_export]
macro_rules! messages {
    ($with:ident) => {
        $with! {
            to_server {
                /// Is a server there, and which connection id would I have?
                ServerCheck {
                    name: "ServerCheckRequest", number: 0, kind: Some(MessageKind::Setup),
                    answer: Some(AnswerType::ServerCheck),
                    from: Sender::Anyone, needs_setup: false, secured: false,
                }
                /// First message on a connection. It has **no response**: the server registers the
                /// connection and answers a present ability table with a [`Request::SetupAck`], or
                /// it closes.
                ConnectionSetup(Box<$crate::message::internal::ConnectionSetupRequest>) {
                    name: "ConnectionSetupRequest", number: 1, kind: Some(MessageKind::Setup),
                    answer: None,
                    from: Sender::Anyone, needs_setup: false, secured: false,
                }
                /// Am I still registered? Also keeps an idle connection alive.
                HealthCheck {
                    name: "HealthCheckRequest", number: 3, kind: Some(MessageKind::HealthCheck),
                    answer: Some(AnswerType::HealthCheck),
                    from: Sender::Anyone, needs_setup: true, secured: false,
                }
                /// How many connections a node has (between nodes).
                ServerLoaderInfo {
                    name: "ServerLoaderInfoRequest", number: 6, kind: Some(MessageKind::Reset),
                    answer: Some(AnswerType::ServerLoaderInfo),
                    from: Sender::Node, needs_setup: true, secured: false,
                }
                /// Move connections away until a count is reached (between nodes).
                ServerReload($crate::message::cluster::ServerReloadRequest) {
                    name: "ServerReloadRequest", number: 7, kind: Some(MessageKind::Reset),
                    answer: Some(AnswerType::ServerReload),
                    from: Sender::Node, needs_setup: true, secured: false,
                }
                /// Register or deregister one ephemeral instance.
                Instance(Box<$crate::message::naming::InstanceRequest>) {
                    name: "InstanceRequest", number: 8, kind: Some(MessageKind::Register),
                    answer: Some(AnswerType::Instance),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// Replace what this client publishes for a service by a list.
                BatchInstance(Box<$crate::message::naming::BatchInstanceRequest>) {
                    name: "BatchInstanceRequest", number: 9, kind: Some(MessageKind::Register),
                    answer: Some(AnswerType::BatchInstance),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// Register or deregister a persistent instance: always refused here.
                PersistentInstance(Box<$crate::message::naming::InstanceRequest>) {
                    name: "PersistentInstanceRequest", number: 10,
                    kind: Some(MessageKind::Register), answer: Some(AnswerType::Instance),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// Subscribe to a service, or unsubscribe.
                SubscribeService(Box<$crate::message::naming::SubscribeServiceRequest>) {
                    name: "SubscribeServiceRequest", number: 11,
                    kind: Some(MessageKind::Subscribe), answer: Some(AnswerType::SubscribeService),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// The current instances of a service.
                ServiceQuery(Box<$crate::message::naming::ServiceQueryRequest>) {
                    name: "ServiceQueryRequest", number: 12, kind: Some(MessageKind::Query),
                    answer: Some(AnswerType::QueryService),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// The names of services, a page at a time.
                ServiceList(Box<$crate::message::naming::ServiceListRequest>) {
                    name: "ServiceListRequest", number: 13, kind: Some(MessageKind::Query),
                    answer: Some(AnswerType::ServiceList),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// Watch the names of services by a pattern, or watch them no longer.
                NamingFuzzyWatch(Box<$crate::message::fuzzy::NamingFuzzyWatchRequest>) {
                    name: "NamingFuzzyWatchRequest", number: 15,
                    kind: Some(MessageKind::Subscribe), answer: Some(AnswerType::NamingFuzzyWatch),
                    from: Sender::Anyone, needs_setup: true, secured: true,
                }
                /// Replication between nodes. Its kind is that of its operation.
                DistroData($crate::message::distro::DistroDataRequest) {
                    name: "DistroDataRequest", number: 18, kind: None,
                    answer: Some(AnswerType::DistroData),
                    from: Sender::Node, needs_setup: true, secured: false,
                }
                /// A node tells another about itself (between nodes).
                MemberReport(Box<$crate::message::cluster::Member>) {
                    name: "MemberReportRequest", number: 19, kind: Some(MessageKind::Report),
                    answer: Some(AnswerType::MemberReport),
                    from: Sender::Node, needs_setup: true, secured: false,
                }
            }
            to_dialer {
                /// After a setup that carried an ability table. It has **no response**.
                SetupAck($crate::message::internal::SetupAckRequest) {
                    name: "SetupAckRequest", number: 2, kind: Some(MessageKind::Setup),
                    answer: None,
                    from: Sender::Server, needs_setup: true, secured: false,
                }
                /// Are you still there?
                ClientDetection {
                    name: "ClientDetectionRequest", number: 4, kind: Some(MessageKind::Detection),
                    answer: Some(AnswerType::ClientDetection),
                    from: Sender::Server, needs_setup: true, secured: false,
                }
                /// Leave, and connect elsewhere.
                ConnectReset($crate::message::internal::ConnectResetRequest) {
                    name: "ConnectResetRequest", number: 5, kind: Some(MessageKind::Reset),
                    answer: Some(AnswerType::ConnectReset),
                    from: Sender::Server, needs_setup: true, secured: false,
                }
            }
            to_client {
                /// The full current list of a subscribed service.
                NotifySubscriber(Arc<$crate::message::naming::ServiceInfo>) {
                    name: "NotifySubscriberRequest", number: 14, kind: Some(MessageKind::Push),
                    answer: Some(AnswerType::NotifySubscriber),
                    from: Sender::Server, needs_setup: true, secured: false,
                }
                /// A batch of the services that a pattern matches.
                NamingFuzzyWatchSync(Box<$crate::message::fuzzy::NamingFuzzyWatchSyncRequest>) {
                    name: "NamingFuzzyWatchSyncRequest", number: 16,
                    kind: Some(MessageKind::Push),
                    answer: Some(AnswerType::NamingFuzzyWatchChangeNotify),
                    from: Sender::Server, needs_setup: true, secured: false,
                }
                /// A watched service came or went.
                NamingFuzzyWatchChangeNotify(
                    Box<$crate::message::fuzzy::NamingFuzzyWatchChangeNotifyRequest>
                ) {
                    name: "NamingFuzzyWatchChangeNotifyRequest", number: 17,
                    kind: Some(MessageKind::Push),
                    answer: Some(AnswerType::NamingFuzzyWatchChangeNotify),
                    from: Sender::Server, needs_setup: true, secured: false,
                }
            }
            answers {
                /// Nacos `ErrorResponse`: the request was not handled at all.
                Error { name: "ErrorResponse", also: None }
                /// To [`Request::ServerCheck`].
                ServerCheck(Box<$crate::message::internal::ServerCheckResponse>) {
                    name: "ServerCheckResponse", also: None,
                }
                /// To [`Request::HealthCheck`].
                HealthCheck { name: "HealthCheckResponse", also: None }
                /// To [`Request::ClientDetection`].
                ClientDetection { name: "ClientDetectionResponse", also: None }
                /// To [`Request::ConnectReset`].
                ConnectReset { name: "ConnectResetResponse", also: None }
                /// To [`Request::ServerLoaderInfo`].
                ServerLoaderInfo($crate::message::cluster::LoaderMetrics) {
                    name: "ServerLoaderInfoResponse", also: None,
                }
                /// To [`Request::ServerReload`].
                ServerReload { name: "ServerReloadResponse", also: None }
                /// To [`Request::Instance`] and [`Request::PersistentInstance`].
                Instance($crate::message::naming::InstanceOperation) {
                    name: "InstanceResponse", also: None,
                }
                /// To [`Request::BatchInstance`].
                BatchInstance { name: "BatchInstanceResponse", also: None }
                /// To [`Request::SubscribeService`]: the list as it is now. Absent on a failure.
                SubscribeService(Option<Arc<$crate::message::naming::ServiceInfo>>) {
                    name: "SubscribeServiceResponse", also: None,
                }
                /// To [`Request::ServiceQuery`]. Absent on a failure.
                QueryService(Option<Arc<$crate::message::naming::ServiceInfo>>) {
                    name: "QueryServiceResponse", also: None,
                }
                /// To [`Request::ServiceList`].
                ServiceList(Box<$crate::message::naming::ServiceListResponse>) {
                    name: "ServiceListResponse", also: None,
                }
                /// To [`Request::NotifySubscriber`].
                NotifySubscriber { name: "NotifySubscriberResponse", also: None }
                /// To [`Request::NamingFuzzyWatch`].
                NamingFuzzyWatch { name: "NamingFuzzyWatchResponse", also: None }
                /// To [`Request::NamingFuzzyWatchSync`] and
                /// [`Request::NamingFuzzyWatchChangeNotify`]. Java answers both with the first
                /// name; the second exists beside it and says the same.
                NamingFuzzyWatchChangeNotify {
                    name: "NamingFuzzyWatchChangeNotifyResponse",
                    also: Some("NamingFuzzyWatchSyncResponse"),
                }
                /// To [`Request::DistroData`].
                DistroData($crate::message::distro::DistroDataResponse) {
                    name: "DistroDataResponse", also: None,
                }
                /// To [`Request::MemberReport`]: the answering node itself.
                MemberReport(Option<Box<$crate::message::cluster::Member>>) {
                    name: "MemberReportResponse", also: None,
                }
            }
        }
    };
}

/// The name that a macro with the [table](messages) gives to the content of a row that has one:
/// `$variant $((named!($content, it)))?` is a pattern, and a value.
#[macro_export]
macro_rules! named {
    ($content:ty, $name:ident) => {
        $name
    };
}
