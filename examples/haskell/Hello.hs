{-# LANGUAGE OverloadedStrings #-}

-- | A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
module Main (main) where

import Control.Exception (ErrorCall (ErrorCall), catch, throwIO)
import Data.ByteString (ByteString, isPrefixOf)
import qualified Data.ByteString as Bytes
import qualified Data.ByteString.Char8 as Text
import Data.IORef (IORef, modifyIORef', newIORef, readIORef)
import Data.String (fromString)
import GHC.IO.Encoding (setLocaleEncoding, utf8)
import System.Environment (getEnv)
import System.Exit (exitFailure)
import System.IO (hPutStrLn, stderr)

main :: IO ()
main = do
  setLocaleEncoding utf8
  calls <- newIORef 0
  (Bytes.getContents >>= handle calls >>= Bytes.putStr) `catch` \(ErrorCall reason) -> do
    hPutStrLn stderr ("ErrorCall: " ++ reason)
    exitFailure

handle :: IORef Int -> ByteString -> IO ByteString
handle calls event
  | Just name <- textValue "name" event = pure ("{\"message\":\"Hello, " <> name <> "!\"}")
  | Just reason <- textValue "fail" event = throwIO (ErrorCall (Text.unpack reason))
  | "{\"context\":" `isPrefixOf` event = do
      requestId <- getEnv "LAMBDA_RUNTIME_AWS_REQUEST_ID"
      pure ("{\"request_id\":\"" <> fromString requestId <> "\"}")
  | "{\"count\":" `isPrefixOf` event = do
      modifyIORef' calls (+ 1)
      number <- readIORef calls
      pure ("{\"count\":" <> fromString (show number) <> "}")
  | otherwise = pure event

-- | VALUE of {"key":"VALUE"}.
textValue :: ByteString -> ByteString -> Maybe ByteString
textValue key event =
  Bytes.stripPrefix ("{\"" <> key <> "\":\"") event >>= Bytes.stripSuffix "\"}"
