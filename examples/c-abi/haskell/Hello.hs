{-# LANGUAGE OverloadedStrings #-}

-- Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
module Main (main) where

import Control.Monad (when)
import Data.ByteString (ByteString)
import qualified Data.ByteString as Bytes
import qualified Data.ByteString.Char8 as Text
import qualified Ogni
import System.Exit (ExitCode (..), exitWith)

answer :: Ogni.Runtime -> ByteString -> IO Ogni.Status
answer runtime event
  | starts "{\"name\":\"" = Ogni.respond runtime (Bytes.concat ["{\"message\":\"Hello, ", value, "!\"}"])
  | starts "{\"fail\":\"" = Ogni.failWith runtime "Example.Failed" value
  | starts "{\"context\":" = do
      identifier <- Ogni.requestId runtime
      left <- Ogni.remainingMs runtime
      Ogni.respond runtime $
        Bytes.concat ["{\"request_id\":\"", identifier, "\",\"remaining_ms\":", Text.pack (show left), "}"]
  | otherwise = Ogni.respond runtime event
  where
    starts prefix = prefix `Bytes.isPrefixOf` event
    value = Bytes.take (Bytes.length event - 11) (Bytes.drop 9 event)

serve :: Ogni.Runtime -> IO ()
serve runtime = do
  polled <- Ogni.next runtime
  when (polled == Ogni.Ok) $ do
    answered <- Ogni.event runtime >>= answer runtime
    when (answered /= Ogni.Fatal) (serve runtime)

main :: IO ()
main = do
  opened <- Ogni.open "hello-haskell/1"
  mapM_ serve opened
  exitWith (ExitFailure 1)
