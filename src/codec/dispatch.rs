//! From a message's type to how it looks on a wire, by the table of messages: one that has a
//! content which nobody writes and reads does not compile.

use std::sync::Arc;

use distro_core::ids::{RequestId, Str};
use distro_core::message::{AnswerType, Request, RequestType, Response, ResponseBody};
use distro_core::{messages, named};
use serde::Serialize;

use super::{Ends, Payload, request, response};

/// The content of a request as its JSON text.
pub(super) trait RequestText: Sized {
    /// The text. `id` is written where Nacos does so, which is on what a server asks of its
    /// clients.
    fn text(&self, id: Option<RequestId>, ends: &Ends) -> Vec<u8>;

    /// The content in a payload, or what is wrong with it.
    fn read(payload: &Payload) -> Result<Self, Str>;
}

/// The content of an answer: the keys between those that every answer has.
pub(super) trait AnswerText: Sized {
    /// What is written.
    type Out<'a>: Serialize
    where
        Self: 'a;

    /// The content as it is written.
    fn out<'a>(&'a self, ends: &Ends) -> Self::Out<'a>;

    /// The content in a body, or what is wrong with it.
    fn read(body: &[u8]) -> Result<Self, Str>;
}

impl<T: RequestText> RequestText for Box<T> {
    fn text(&self, id: Option<RequestId>, ends: &Ends) -> Vec<u8> {
        (**self).text(id, ends)
    }
    fn read(payload: &Payload) -> Result<Box<T>, Str> {
        T::read(payload).map(Box::new)
    }
}

impl<T: RequestText> RequestText for Arc<T> {
    fn text(&self, id: Option<RequestId>, ends: &Ends) -> Vec<u8> {
        (**self).text(id, ends)
    }
    fn read(payload: &Payload) -> Result<Arc<T>, Str> {
        T::read(payload).map(Arc::new)
    }
}

/// The text of a request, with content or without.
macro_rules! text_of {
    ($of:expr, $id:ident, $ends:ident) => {
        request::bare_text($of, $id)
    };
    ($of:expr, $id:ident, $ends:ident, $it:ident: $content:ty) => {
        <$content as RequestText>::text($it, $id, $ends)
    };
}

/// The request in a payload, with content or without.
macro_rules! read_request {
    ($variant:ident, $payload:ident) => {
        request::read_bare(RequestType::$variant, $payload).map(|()| Request::$variant)
    };
    ($variant:ident, $payload:ident, $content:ty) => {
        <$content as RequestText>::read($payload).map(Request::$variant)
    };
}

/// The text of an answer, with content or without.
macro_rules! answer_of {
    ($of:expr, $response:ident, $id:ident, $ends:ident) => {
        response::text($response, $id, response::fixed($of))
    };
    ($of:expr, $response:ident, $id:ident, $ends:ident, $it:ident: $content:ty) => {
        response::text($response, $id, <$content as AnswerText>::out($it, $ends))
    };
}

/// The answer in a body, with content or without.
macro_rules! read_answer {
    ($variant:ident, $body:ident) => {
        Ok(ResponseBody::$variant)
    };
    ($variant:ident, $body:ident, $content:ty) => {
        <$content as AnswerText>::read($body).map(ResponseBody::$variant)
    };
}

macro_rules! dispatch {
    (
        to_server { $($(#[$sd:meta])* $s:ident $(($sc:ty))? { $($sf:tt)* })* }
        to_dialer { $($(#[$dd:meta])* $d:ident $(($dc:ty))? { $($df:tt)* })* }
        to_client { $($(#[$cd:meta])* $c:ident $(($cc:ty))? { $($cf:tt)* })* }
        answers { $($(#[$ad:meta])* $a:ident $(($ac:ty))? { $($af:tt)* })* }
    ) => {
        dispatch! {
            requests { $($s $(($sc))?)* $($d $(($dc))?)* $($c $(($cc))?)* }
            answers { $($a $(($ac))?)* }
        }
    };
    (
        requests { $($r:ident $(($rc:ty))?)* }
        answers { $($a:ident $(($ac:ty))?)* }
    ) => {
        /// JSON text of a request.
        pub(super) fn request_text(
            request: &Request,
            id: Option<RequestId>,
            ends: &Ends,
        ) -> Vec<u8> {
            match request {
                $( Request::$r $((named!($rc, it)))? =>
                    text_of!(RequestType::$r, id, ends $(, it: $rc)?), )*
            }
        }

        /// The request of this type in a payload.
        pub(super) fn read_request(of: RequestType, payload: &Payload) -> Result<Request, Str> {
            match of {
                $( RequestType::$r => read_request!($r, payload $(, $rc)?), )*
            }
        }

        /// JSON text of an answer.
        pub(super) fn answer_text(
            response: &Response,
            id: Option<RequestId>,
            ends: &Ends,
        ) -> Vec<u8> {
            match &response.body {
                $( ResponseBody::$a $((named!($ac, it)))? =>
                    answer_of!(AnswerType::$a, response, id, ends $(, it: $ac)?), )*
                ResponseBody::Unsupported(_) => response::text(response, id, response::NoBody {}),
            }
        }

        /// The answer of this type in a body.
        pub(super) fn read_answer(of: AnswerType, body: &[u8]) -> Result<ResponseBody, Str> {
            match of {
                $( AnswerType::$a => read_answer!($a, body $(, $ac)?), )*
            }
        }
    };
}

messages!(dispatch);
