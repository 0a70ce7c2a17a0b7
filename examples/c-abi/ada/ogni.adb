with Interfaces.C.Strings;

package body Ogni is

   use Interfaces.C;
   use type System.Address;

   function C_Open (Address : System.Address; User_Agent : char_array) return System.Address
     with Import, Convention => C, External_Name => "ogni_open";
   function C_Next (Handle : System.Address) return int
     with Import, Convention => C, External_Name => "ogni_next";
   function C_Event (Handle : System.Address; Bytes : out size_t) return System.Address
     with Import, Convention => C, External_Name => "ogni_event";
   function C_Respond (Handle, Reply : System.Address; Bytes : size_t; Content_Type : System.Address) return int
     with Import, Convention => C, External_Name => "ogni_respond";
   function C_Fail (Handle : System.Address; Kind, Message : char_array; Stack_Trace : System.Address) return int
     with Import, Convention => C, External_Name => "ogni_fail";
   function C_Request_Id (Handle : System.Address) return Strings.chars_ptr
     with Import, Convention => C, External_Name => "ogni_request_id";
   function C_Remaining_Ms (Handle : System.Address) return Interfaces.Integer_64
     with Import, Convention => C, External_Name => "ogni_remaining_ms";

   function To_Status (Code : int) return Status is
     (if Code in 0 .. 4 then Status'Val (Code) else Fatal);

   procedure Open (Self : in out Runtime; User_Agent : String) is
   begin
      Self.Handle := C_Open (System.Null_Address, To_C (User_Agent));
      if Self.Handle = System.Null_Address then
         raise Not_Opened;
      end if;
   end Open;

   function Next (Self : Runtime) return Status is (To_Status (C_Next (Self.Handle)));

   function Event (Self : Runtime) return String is
      Bytes : size_t;
      First : constant System.Address := C_Event (Self.Handle, Bytes);
      Text  : String (1 .. Natural (Bytes)) with Import, Address => First;
   begin
      return Text;
   end Event;

   function Respond (Self : Runtime; Reply : String) return Status is
     (To_Status (C_Respond (Self.Handle, Reply'Address, Reply'Length, System.Null_Address)));

   function Fail (Self : Runtime; Kind, Message : String) return Status is
     (To_Status (C_Fail (Self.Handle, To_C (Kind), To_C (Message), System.Null_Address)));

   function Request_Id (Self : Runtime) return String is (Strings.Value (C_Request_Id (Self.Handle)));

   function Remaining_Ms (Self : Runtime) return Interfaces.Integer_64 is (C_Remaining_Ms (Self.Handle));

end Ogni;
