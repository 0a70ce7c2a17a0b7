-- | The Runtime API of AWS Lambda and Ogni, from libogni.
module Ogni (Runtime, Status (..), open, next, event, respond, failWith, requestId, remainingMs) where

import Data.ByteString (ByteString)
import qualified Data.ByteString as Bytes
import Data.ByteString.Unsafe (unsafeUseAsCStringLen)
import Data.Int (Int64)
import Foreign.C.String (CString)
import Foreign.C.Types (CInt (..), CSize (..))
import Foreign.Marshal.Alloc (alloca)
import Foreign.Ptr (Ptr, nullPtr)
import Foreign.Storable (peek)

data Handle

-- | Of one thread.
newtype Runtime = Runtime (Ptr Handle)

data Status = Ok | Refused | Interrupted | Fatal | BadArgument deriving (Eq, Enum)

foreign import ccall unsafe "ogni_open" c_open :: CString -> CString -> IO (Ptr Handle)
foreign import ccall safe "ogni_next" c_next :: Ptr Handle -> IO CInt
foreign import ccall unsafe "ogni_event" c_event :: Ptr Handle -> Ptr CSize -> IO CString
foreign import ccall safe "ogni_respond" c_respond :: Ptr Handle -> CString -> CSize -> CString -> IO CInt
foreign import ccall safe "ogni_fail" c_fail :: Ptr Handle -> CString -> CString -> CString -> IO CInt
foreign import ccall unsafe "ogni_request_id" c_request_id :: Ptr Handle -> IO CString
foreign import ccall unsafe "ogni_remaining_ms" c_remaining_ms :: Ptr Handle -> IO Int64

status :: CInt -> Status
status code = if code >= 0 && code <= 4 then toEnum (fromIntegral code) else Fatal

-- | Nothing where AWS_LAMBDA_RUNTIME_API is not an address.
open :: ByteString -> IO (Maybe Runtime)
open userAgent = Bytes.useAsCString userAgent $ \name -> do
  handle <- c_open nullPtr name
  pure (if handle == nullPtr then Nothing else Just (Runtime handle))

next :: Runtime -> IO Status
next (Runtime handle) = status <$> c_next handle

event :: Runtime -> IO ByteString
event (Runtime handle) = alloca $ \bytes -> do
  first <- c_event handle bytes
  size <- peek bytes
  Bytes.packCStringLen (first, fromIntegral size)

respond :: Runtime -> ByteString -> IO Status
respond (Runtime handle) body = unsafeUseAsCStringLen body $ \(first, size) ->
  status <$> c_respond handle first (fromIntegral size) nullPtr

failWith :: Runtime -> ByteString -> ByteString -> IO Status
failWith (Runtime handle) kind message =
  Bytes.useAsCString kind $ \k -> Bytes.useAsCString message $ \m -> status <$> c_fail handle k m nullPtr

requestId :: Runtime -> IO ByteString
requestId (Runtime handle) = c_request_id handle >>= Bytes.packCString

remainingMs :: Runtime -> IO Int64
remainingMs (Runtime handle) = c_remaining_ms handle
