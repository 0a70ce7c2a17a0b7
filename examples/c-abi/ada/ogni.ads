--  The Runtime API of AWS Lambda and Ogni, from libogni.
with Interfaces.C;
with System;

package Ogni is

   type Status is (Ok, Refused, Interrupted, Fatal, Bad_Argument);

   type Runtime is limited private;

   Not_Opened : exception;

   procedure Open (Self : in out Runtime; User_Agent : String);
   function Next (Self : Runtime) return Status;
   function Event (Self : Runtime) return String;
   function Respond (Self : Runtime; Reply : String) return Status;
   function Fail (Self : Runtime; Kind, Message : String) return Status;
   function Request_Id (Self : Runtime) return String;
   function Remaining_Ms (Self : Runtime) return Interfaces.Integer_64;

private

   type Runtime is limited record
      Handle : System.Address := System.Null_Address;
   end record;

end Ogni;
